// SPDX-License-Identifier: MIT
// What the manager answers in pages (alert_requests.h), put together, and as one document.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "alerts/alert_requests.h"
#include "base/result.h"

namespace snakepit::shm {

// Asks a manager: an action and its arguments, as ManagerClient::alerts() does.
using AlertAsk =
    std::function<Result<std::string>(const std::string& action, const std::string& arguments)>;

struct AlertPage {
    std::vector<Alert> alerts;  // newest first
    bool more = false;          // there are older ones, before `before`
    std::uint64_t before = 0;
};

// Both ask as often as it takes, and fail as an answer does or cannot be read.
Result<std::vector<AlertRule>> ask_rules(const AlertAsk& ask);
// Of what `query` asks for; its limit may be any number here.
Result<AlertPage> ask_history(const AlertAsk& ask, const HistoryQuery& query);

// The documents that parse_alerts(), parse_rules() and parse_silences() read.
std::string to_json(const AlertPage& page);  // {"alerts":[…],"more":true,"before":id}
std::string to_json(const std::vector<Alert>& alerts);
std::string to_json(const std::vector<AlertRule>& rules);
std::string to_json(const std::vector<AlertSilence>& silences);

}  // namespace snakepit::shm
