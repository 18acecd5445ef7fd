// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "command.h"
#include "security/policy_text.h"

namespace snakepit::shm::cli {

// The file's text, or standard input's for "-".
Result<std::string> read_policy_text(const std::string& file);
Result<PolicyReport> report_of(ManagerClient& client, const std::optional<RegionId>& id);
void add_what_if(Command& policy);

}  // namespace snakepit::shm::cli
