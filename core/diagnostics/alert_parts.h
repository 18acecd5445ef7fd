// SPDX-License-Identifier: MIT
// What a bundle has of alerts: documents as the command line prints them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "client/manager_client.h"

namespace snakepit::shm {

struct AlertPart {
    std::string name;  // "alert_rules.json"
    std::string what;  // for people
    Result<std::string> json;
};

// Beside the manager's report "alerts": what fired, the rules, and the silences.
std::vector<AlertPart> alerts_of(ManagerClient& manager);
// What a manager that does not answer left in its state.db, with what fired when it ended in place
// of the report. The file is read as a copy, and stays as it is.
std::vector<AlertPart> alerts_left(const std::string& state_db);

}  // namespace snakepit::shm
