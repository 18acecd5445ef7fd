// SPDX-License-Identifier: MIT
#include "alerts/alert_requests.h"

#include <fmt/format.h>

#include "alerts/json_fields.h"

namespace snakepit::shm {

namespace {

constexpr auto kCode = ErrorCode::invalid_argument;
constexpr std::string_view kWhat = "the request";
constexpr std::size_t kLongestComment = 400;
constexpr std::size_t kLongestSubject = 200;

Status required(const JsonFields& fields, const char* name) {
    if (fields.has(name)) return {};
    return fields.wrong(name, "it is missing", "say which one is meant");
}

}  // namespace

AlertNeed need_of(std::string_view action) {
    for (const auto* look : {"list", "history", "rules", "silences"})
        if (action == look) return AlertNeed::look;
    for (const auto* answer : {"ack", "silence", "unsilence"})
        if (action == answer) return AlertNeed::answer;
    return AlertNeed::configure;
}

Result<HistoryQuery> parse_history(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    const JsonFields fields(object, kWhat, kCode);
    SHM_TRY(fields.only({"before", "limit", "rule", "subject", "since"}));
    HistoryQuery query;
    query.limit = kHistoryPage;
    SHM_TRY(fields.whole("before", query.before));
    SHM_TRY(fields.whole("limit", query.limit));
    SHM_TRY(fields.text("rule", query.rule));
    SHM_TRY(fields.text("subject", query.subject));
    SHM_TRY(fields.time("since", query.since));
    if (query.limit == 0 || query.limit > kHistoryPage)
        return fields.wrong("limit", "this is no page", fmt::format("write 1 to {}", kHistoryPage));
    return query;
}

Result<Acknowledgement> parse_acknowledgement(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    const JsonFields fields(object, kWhat, kCode);
    SHM_TRY(fields.only({"id", "comment"}));
    SHM_TRY(required(fields, "id"));
    Acknowledgement out;
    SHM_TRY(fields.whole("id", out.id));
    SHM_TRY(fields.line("comment", out.comment, kLongestComment));
    return out;
}

Result<AlertSilence> parse_silencing(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    const JsonFields fields(object, kWhat, kCode);
    SHM_TRY(fields.only({"rule", "subject", "until", "comment"}));
    AlertSilence out;
    SHM_TRY(fields.line("rule", out.rule, kLongestSubject));
    SHM_TRY(fields.line("subject", out.subject, kLongestSubject));
    SHM_TRY(fields.time("until", out.until));
    SHM_TRY(fields.line("comment", out.comment, kLongestComment));
    if (out.until.micros != 0 && out.until <= now())
        return fields.wrong("until", "this is past", "write a time to come, or null");
    return out;
}

Result<std::uint64_t> parse_id(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    const JsonFields fields(object, kWhat, kCode);
    SHM_TRY(fields.only({"id"}));
    SHM_TRY(required(fields, "id"));
    std::uint64_t id = 0;
    SHM_TRY(fields.whole("id", id));
    return id;
}

Result<std::string> parse_name(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    const JsonFields fields(object, kWhat, kCode);
    SHM_TRY(fields.only({"name"}));
    SHM_TRY(required(fields, "name"));
    std::string name;
    SHM_TRY(fields.text("name", name));
    return name;
}

Result<std::string> parse_from(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    const JsonFields fields(object, kWhat, kCode);
    SHM_TRY(fields.only({"from"}));
    std::string from;
    SHM_TRY(fields.text("from", from));
    return from;
}

Status parse_nothing(std::string_view arguments) {
    SHM_ASSIGN(const auto object, JsonFields::parse(arguments, kWhat, kCode));
    return JsonFields(object, kWhat, kCode).only({});
}

}  // namespace snakepit::shm
