// SPDX-License-Identifier: MIT
// The alerts in a bundle: documents as the command line prints them.
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

// Beside the manager's report "alerts": history, rules and silences.
std::vector<AlertPart> alerts_of(ManagerClient& manager);
// The same from the state.db of a manager that does not respond, with the alerts that fired when it
// ended in place of the report. The file is copied before it is read, and not changed.
std::vector<AlertPart> alerts_left(const std::string& state_db);

}  // namespace snakepit::shm
