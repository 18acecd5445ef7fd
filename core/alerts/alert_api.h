// SPDX-License-Identifier: MIT
// Requests about alerts: an action and a JSON object of arguments, answered by a JSON document
// (ManagerClient::alerts).
//
//   action       arguments                                            answer
//   list         {}                                                   {"alerts":[…],"left_out":0}
//   history      {"before":id,"limit":100,"rule":"","subject":"",     {"alerts":[…],"more":true,
//                 "since":time}                                         "before":id}
//   rules        {"from":""}                                          {"rules":[…],"more":false,
//                                                                       "from":""}
//   silences     {}                                                   {"silences":[…]}
//   ack          {"id":7,"comment":""}                                the alert
//   silence      {"rule":"","subject":"","until":time,"comment":""}   the silence
//   unsilence    {"id":3}                                             the silence
//   set_rule     the rule, whole                                      the rule as it was applied
//   remove_rule  {"name":"mine"}                                      {"name":"mine"}
//
// All arguments except the id, the name and the rule are optional. `list`: alerts that are pending
// or fire, the worst first. `history`: alerts that fired, also those that still do, the newest
// first; `before` of the answer requests the next page. `until`: null lasts until all alerts that
// the silence matches now are resolved. `from` of the answer requests the next page of rules.
// remove_rule resets a default rule.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/alert.h"
#include "base/result.h"

namespace snakepit::shm {

// Operators may view and respond; administrators may configure, and get an error for an unknown
// action.
enum class AlertAccess : std::uint8_t { view, respond, configure };
AlertAccess access_needed(std::string_view action);

// ---- arguments; all parsers fail with invalid_argument and name the argument
struct HistoryQuery {
    std::uint64_t before = 0;  // only ids below it; 0: from the newest on
    std::uint64_t limit = 0;   // 1 to kHistoryPage
    std::string rule, subject;
    Timestamp since;  // fired then or later
};
inline constexpr std::uint64_t kHistoryPage = 200;

struct Acknowledgement {
    std::uint64_t id = 0;
    std::string comment;
};

Result<HistoryQuery> parse_history(std::string_view arguments);
Result<Acknowledgement> parse_acknowledgement(std::string_view arguments);
// Without id, author and time. Refuses an end in the past.
Result<AlertSilence> parse_silencing(std::string_view arguments);
Result<std::uint64_t> parse_id(std::string_view arguments);
Result<std::string> parse_name(std::string_view arguments);
Result<std::string> parse_from(std::string_view arguments);
Status parse_nothing(std::string_view arguments);

// ---- answers
// Sends one request: an action and its arguments, as ManagerClient::alerts() does.
using AlertAsk =
    std::function<Result<std::string>(const std::string& action, const std::string& arguments)>;

struct AlertPage {
    std::vector<Alert> alerts;  // newest first
    bool more = false;          // there are older ones, before `before`
    std::uint64_t before = 0;
};

// Both send as many requests as it takes, and return the first error.
Result<std::vector<AlertRule>> ask_rules(const AlertAsk& ask);
// The limit of `query` may be any number here.
Result<AlertPage> ask_history(const AlertAsk& ask, const HistoryQuery& query);

// {"<name>":[{…},…]: as many of the objects as fit into `most` bytes, and how many. The caller adds
// further members and the closing brace.
template <typename T>
std::string list_json(std::string_view name, const std::vector<T>& all, std::size_t most,
                      std::size_t& fitted) {
    std::string out = "{\"" + std::string(name) + "\":[";
    for (fitted = 0; fitted < all.size(); ++fitted) {
        const auto one = to_json(all[fitted]);
        if (out.size() + one.size() > most) break;
        if (fitted > 0) out += ',';
        out += one;
    }
    return out + ']';
}

// The documents that parse_alerts(), parse_rules() and parse_silences() read.
std::string to_json(const AlertPage& page);  // {"alerts":[…],"more":true,"before":id}
std::string to_json(const std::vector<Alert>& alerts);
std::string to_json(const std::vector<AlertRule>& rules);
std::string to_json(const std::vector<AlertSilence>& silences);

}  // namespace snakepit::shm
