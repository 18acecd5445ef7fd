// SPDX-License-Identifier: MIT
#include "alerts/alert_api.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include "json/json_reader.h"
#include "json/json_values.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kLongestComment = 400;
constexpr std::size_t kLongestSubject = 200;

Result<JsonReader> arguments_of(std::string_view json, std::initializer_list<const char*> known,
                                std::initializer_list<const char*> required = {}) {
    SHM_ASSIGN(auto reader, JsonReader::parse(json, "the request", ErrorCode::invalid_argument));
    SHM_TRY(reader.only(known));
    SHM_TRY(reader.require(required));
    return reader;
}

Result<JsonReader> answer_of(const std::string& json) {
    return JsonReader::parse(json, "the answer", ErrorCode::protocol_error);
}

QJsonObject json_of(const HistoryQuery& query, std::uint64_t before, std::uint64_t limit) {
    QJsonObject out{{QStringLiteral("limit"), number(limit)},
                    {QStringLiteral("rule"), text(query.rule)},
                    {QStringLiteral("subject"), text(query.subject)}};
    if (before != 0) out[QStringLiteral("before")] = number(before);
    if (query.since.micros != 0) out[QStringLiteral("since")] = text(to_rfc3339(query.since));
    return out;
}

template <typename T>
std::string whole_list(std::string_view name, const std::vector<T>& all) {
    std::size_t fitted = 0;
    return list_json(name, all, SIZE_MAX, fitted);
}

}  // namespace

AlertAccess access_needed(std::string_view action) {
    for (const auto* view : {"list", "history", "rules", "silences"})
        if (action == view) return AlertAccess::view;
    for (const auto* respond : {"ack", "silence", "unsilence"})
        if (action == respond) return AlertAccess::respond;
    return AlertAccess::configure;
}

// ------------------------------------------------------------------ arguments
Result<HistoryQuery> parse_history(std::string_view arguments) {
    SHM_ASSIGN(const auto json,
               arguments_of(arguments, {"before", "limit", "rule", "subject", "since"}));
    HistoryQuery query;
    query.limit = kHistoryPage;
    SHM_TRY(json.whole("before", query.before));
    SHM_TRY(json.whole("limit", query.limit));
    SHM_TRY(json.text("rule", query.rule));
    SHM_TRY(json.text("subject", query.subject));
    SHM_TRY(json.time("since", query.since));
    if (query.limit == 0 || query.limit > kHistoryPage)
        return json.wrong("limit", "the page size is out of range",
                          fmt::format("use 1 to {}", kHistoryPage));
    return query;
}

Result<Acknowledgement> parse_acknowledgement(std::string_view arguments) {
    SHM_ASSIGN(const auto json, arguments_of(arguments, {"id", "comment"}, {"id"}));
    Acknowledgement out;
    SHM_TRY(json.whole("id", out.id));
    SHM_TRY(json.line("comment", out.comment, kLongestComment));
    return out;
}

Result<AlertSilence> parse_silencing(std::string_view arguments) {
    SHM_ASSIGN(const auto json, arguments_of(arguments, {"rule", "subject", "until", "comment"}));
    AlertSilence out;
    SHM_TRY(json.line("rule", out.rule, kLongestSubject));
    SHM_TRY(json.line("subject", out.subject, kLongestSubject));
    SHM_TRY(json.time("until", out.until));
    SHM_TRY(json.line("comment", out.comment, kLongestComment));
    if (out.until.micros != 0 && out.until <= now())
        return json.wrong("until", "the end is in the past", "use a later time, or null");
    return out;
}

Result<std::uint64_t> parse_id(std::string_view arguments) {
    SHM_ASSIGN(const auto json, arguments_of(arguments, {"id"}, {"id"}));
    std::uint64_t id = 0;
    SHM_TRY(json.whole("id", id));
    return id;
}

Result<std::string> parse_name(std::string_view arguments) {
    SHM_ASSIGN(const auto json, arguments_of(arguments, {"name"}, {"name"}));
    std::string name;
    SHM_TRY(json.text("name", name));
    return name;
}

Result<std::string> parse_from(std::string_view arguments) {
    SHM_ASSIGN(const auto json, arguments_of(arguments, {"from"}));
    std::string from;
    SHM_TRY(json.text("from", from));
    return from;
}

Status parse_nothing(std::string_view arguments) {
    SHM_TRY(arguments_of(arguments, {}));
    return {};
}

// -------------------------------------------------------------------- answers
Result<std::vector<AlertRule>> ask_rules(const AlertAsk& ask) {
    std::vector<AlertRule> all;
    std::string from;
    for (;;) {
        SHM_ASSIGN(const auto answer,
                   ask("rules", compact({{QStringLiteral("from"), text(from)}})));
        SHM_ASSIGN(const auto json, answer_of(answer));
        SHM_ASSIGN(const auto page, parse_rules(answer));
        all.insert(all.end(), page.begin(), page.end());
        bool more = false;
        SHM_TRY(json.flag("more", more));
        SHM_TRY(json.text("from", from));
        if (!more || page.empty()) return all;
    }
}

Result<AlertPage> ask_history(const AlertAsk& ask, const HistoryQuery& query) {
    AlertPage all;
    all.before = query.before;
    all.more = true;
    while (all.more && all.alerts.size() < query.limit) {
        const auto limit = std::min(query.limit - all.alerts.size(), kHistoryPage);
        SHM_ASSIGN(const auto answer, ask("history", compact(json_of(query, all.before, limit))));
        SHM_ASSIGN(const auto json, answer_of(answer));
        SHM_ASSIGN(const auto page, parse_alerts(answer));
        all.alerts.insert(all.alerts.end(), page.begin(), page.end());
        all.more = false;
        SHM_TRY(json.flag("more", all.more));
        SHM_TRY(json.whole("before", all.before));
        all.more = all.more && !page.empty();
    }
    return all;
}

std::string to_json(const AlertPage& page) {
    return whole_list("alerts", page.alerts) +
           fmt::format(R"(,"more":{},"before":{}}})", page.more, page.before);
}

std::string to_json(const std::vector<Alert>& alerts) {
    return whole_list("alerts", alerts) + '}';
}

std::string to_json(const std::vector<AlertRule>& rules) {
    return whole_list("rules", rules) + '}';
}

std::string to_json(const std::vector<AlertSilence>& silences) {
    return whole_list("silences", silences) + '}';
}

}  // namespace snakepit::shm
