// SPDX-License-Identifier: MIT
// What can be asked of the manager about alerts: an action and a JSON object of arguments, answered
// by a JSON document (ManagerClient::alerts).
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
//   set_rule     the rule, whole                                      the rule as it holds
//   remove_rule  {"name":"mine"}                                      {"name":"mine"}
//
// Every argument may be left out but the id, the name and the rule. `list`: what is pending or
// fires, the worst first. `history`: what fired, the newest first, also what still fires; `before`
// of the answer asks for the next page. `until`: null is until all that it matches now is resolved.
// `from` of the answer asks for the next page of rules. remove_rule gives a rule of the default set
// its default back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "alerts/alert.h"
#include "base/result.h"

namespace snakepit::shm {

enum class AlertNeed : std::uint8_t { look, answer, configure };
// Who may: an operator looks and answers, an administrator changes rules, and asks for what there
// is not.
AlertNeed need_of(std::string_view action);

struct HistoryQuery {
    std::uint64_t before = 0;  // ids below it only; 0: from the newest on
    std::uint64_t limit = 0;   // 1 to kHistoryPage
    std::string rule, subject;
    Timestamp since;  // fired then or later
};
inline constexpr std::uint64_t kHistoryPage = 200;

// invalid_argument, naming the argument.
Result<HistoryQuery> parse_history(std::string_view arguments);
struct Acknowledgement {
    std::uint64_t id = 0;
    std::string comment;
};
Result<Acknowledgement> parse_acknowledgement(std::string_view arguments);
// Without id, author and time. An end that is past is wrong.
Result<AlertSilence> parse_silencing(std::string_view arguments);
Result<std::uint64_t> parse_id(std::string_view arguments);
Result<std::string> parse_name(std::string_view arguments);
Result<std::string> parse_from(std::string_view arguments);
Status parse_nothing(std::string_view arguments);

}  // namespace snakepit::shm
