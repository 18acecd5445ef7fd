// SPDX-License-Identifier: MIT
// alerts: firing and past alerts, acknowledgements and silences.
#include <charconv>

#include <fmt/format.h>

#include "alerts.h"
#include "alerts/alert.h"
#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct ListOptions {
    bool history = false;
    std::string rule, subject;
    int limit = 50;
};

struct SilenceOptions {
    std::string rule, subject, length, comment;
    bool until_resolved = false;
};

std::string compact(const QJsonObject& object) {
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

std::string marks(const Alert& alert) {
    std::string out(to_string(alert.state));
    if (alert.flapping) out += fmt::format(", flapping ({})", pluralize(alert.times_fired, "time"));
    if (alert.silenced) out += ", silenced";
    if (alert.acknowledged_at.micros != 0) out += ", acknowledged by " + alert.acknowledged_by;
    return out;
}

Tone tone_of(AlertSeverity severity) {
    switch (severity) {
        case AlertSeverity::critical:
            return Tone::bad;
        case AlertSeverity::warning:
            return Tone::warning;
        case AlertSeverity::info:
            break;
    }
    return Tone::plain;
}

void print_alerts(const std::vector<Alert>& alerts, bool history) {
    Table table({"ID>", "SEVERITY", "ALERT", "SUBJECT", "VALUE>", history ? "FIRED" : "SINCE>",
                 history ? "RESOLVED" : "STATE"});
    for (const auto& alert : alerts)
        table.add({fmt::format("{}", alert.id),
                   {to_string(alert.severity), tone_of(alert.severity)},
                   alert.rule,
                   alert.subject.empty() ? "-" : alert.subject,
                   value_text(history ? alert.worst : alert.value, alert.unit),
                   history ? to_rfc3339(alert.fired_at) : age(alert.since),
                   !history                        ? marks(alert)
                   : alert.resolved_at.micros != 0 ? to_rfc3339(alert.resolved_at)
                                                   : marks(alert)});
    print(table);
}

Result<int> list_firing(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto json, client->alerts("list"));
    SHM_ASSIGN(const auto object, parse_object(json));
    if (context.json) {
        print_json(object);
        return kDone;
    }
    SHM_ASSIGN(const auto alerts, parse_alerts(json));
    if (alerts.empty()) {
        print("no alerts\n");
        return kDone;
    }
    print_alerts(alerts, false);
    for (const auto& alert : alerts)
        print(fmt::format("\n{} {}: {}\n    {}\n    {}\n", alert.id, sanitized(alert.title),
                          alert.subject.empty() ? "the instance" : sanitized(alert.subject),
                          sanitized(alert.evidence), sanitized(alert.remedy)));
    if (const auto more = object["left_out"].toInteger(); more > 0)
        print(fmt::format("\nand {} more\n", more));
    return kDone;
}

Result<int> history(const Context& context, const ListOptions& options) {
    SHM_ASSIGN(auto client, connect(context));
    HistoryQuery query;
    query.limit = static_cast<std::uint64_t>(options.limit);
    query.rule = options.rule;
    query.subject = options.subject;
    SHM_ASSIGN(const auto found, ask_history(asker(*client), query));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(to_json(found)));
        print_json(object);
    } else if (found.alerts.empty()) {
        print("no alert has fired\n");
    } else {
        print_alerts(found.alerts, true);
    }
    return kDone;
}

struct AckOptions {
    std::vector<std::string> ids;
    std::string comment;
};

// Alerts and silences have numbers.
Result<std::uint64_t> number_of(const std::string& word) {
    std::uint64_t out = 0;
    const auto* end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, out);
    if (read.ec == std::errc{} && read.ptr == end) return out;
    return fail(ErrorCode::invalid_argument,
                fmt::format("ID: expected a whole number, not '{}'", word),
                "'snakepit-shm alerts' and 'snakepit-shm alerts silences' show them");
}

Result<int> acknowledge(const Context& context, const AckOptions& options) {
    std::vector<std::uint64_t> ids;
    for (const auto& word : options.ids) {
        SHM_ASSIGN(const auto id, number_of(word));
        ids.push_back(id);
    }
    SHM_ASSIGN(auto client, connect(context));
    QJsonArray done;
    for (const auto id : ids) {
        SHM_ASSIGN(const auto json,
                   client->alerts("ack", compact({{"id", shm::cli::json(id)},
                                                  {"comment", text(options.comment)}})));
        SHM_ASSIGN(const auto alert, parse_object(json));
        done.append(alert);
        if (!context.json)
            print(fmt::format("{} {} is acknowledged\n", id,
                              alert["title"].toString().toStdString()));
    }
    if (context.json) print_json({{"alerts", done}});
    return kDone;
}

std::string describe(const AlertSilence& silence) {
    return fmt::format("{}{}{}", silence.rule.empty() ? "all rules" : silence.rule,
                       silence.subject.empty() ? "" : ", ", silence.subject);
}

std::string end_of(const AlertSilence& silence) {
    return silence.until.micros == 0 ? "it is resolved" : to_rfc3339(silence.until);
}

Result<int> silence(const Context& context, const SilenceOptions& options) {
    if (options.until_resolved != options.length.empty())
        return fail(ErrorCode::invalid_argument, "the length of the silence is missing",
                    "add --for 2h, or --until-resolved");
    QJsonValue until = QJsonValue::Null;
    if (!options.length.empty()) {
        SHM_ASSIGN(const auto millis, parse_duration(options.length));
        until = text(to_rfc3339({now().micros + millis * 1000}));
    }
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto json,
               client->alerts("silence", compact({{"rule", text(options.rule)},
                                                  {"subject", text(options.subject)},
                                                  {"until", until},
                                                  {"comment", text(options.comment)}})));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(json));
        print_json(object);
        return kDone;
    }
    SHM_ASSIGN(const auto made, parse_silence(json));
    print(fmt::format("silence {}: {}, until {}\n", made.id, describe(made), end_of(made)));
    return kDone;
}

Result<int> silences(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto json, client->alerts("silences"));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(json));
        print_json(object);
        return kDone;
    }
    SHM_ASSIGN(const auto all, parse_silences(json));
    if (all.empty()) {
        print("no silences\n");
        return kDone;
    }
    Table table({"ID>", "WHAT", "UNTIL", "BY", "COMMENT"});
    for (const auto& one : all)
        table.add({fmt::format("{}", one.id), describe(one), end_of(one), one.by, one.comment});
    print(table);
    return kDone;
}

Result<int> unsilence(const Context& context, const std::uint64_t& id) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto json, client->alerts("unsilence", compact({{"id", shm::cli::json(id)}})));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(json));
        print_json(object);
    } else {
        print(fmt::format("silence {} has ended\n", id));
    }
    return kDone;
}

Result<int> run_alerts(const Context& context, const ListOptions& options) {
    return options.history ? history(context, options) : list_firing(context);
}

void add_ack(Command& alerts) {
    auto& command = alerts.add("ack", "Acknowledge alerts and stop their notifications");
    auto& options = command.options<AckOptions>();
    command.argument("ID", options.ids, "The alerts, by their numbers").required();
    command.option("--comment", "TEXT", options.comment, "Add a comment, such as the cause");
    command.run(acknowledge, options);
}

void add_silence(Command& alerts) {
    auto& command =
        alerts.add("silence", "Stop notifications of matching alerts; they are still listed");
    auto& options = command.options<SilenceOptions>();
    command.option("--rule", "NAME", options.rule, "Only alerts of this rule");
    command.option("--subject", "TEXT", options.subject, "Only alerts about this subject");
    command.option("--for", "TIME", options.length, "For this long, such as 2h");
    command.flag("--until-resolved", options.until_resolved,
                 "Until the matching alerts are resolved");
    command.option("--comment", "TEXT", options.comment, "The reason");
    command.run(silence, options);
    alerts.add("silences", "List silences").run(silences);
    auto& end = alerts.add("unsilence", "End a silence");
    auto& id = end.options<std::uint64_t>();
    end.number_argument("ID", id, "The silence, by its number").required();
    end.run(unsilence, id);
}

}  // namespace

void add_alerts(Command& app) {
    auto& command = app.add("alerts", "Show firing alerts, acknowledge or silence them");
    auto& options = command.options<ListOptions>();
    auto& history =
        command.flag("--history", options.history, "Show past alerts, the newest first");
    command.option("--rule", "NAME", options.rule, "Only past alerts of this rule").needs(history);
    command.option("--subject", "TEXT", options.subject, "Only past alerts about this subject")
        .needs(history);
    command.option("--limit", "N", options.limit, "Show at most N past alerts (default: 50)")
        .range(1, 10'000)
        .needs(history);
    command.run(run_alerts, options);
    add_ack(command);
    add_silence(command);
    add_alert_rules(command);
    add_backtest(command);
}

}  // namespace snakepit::shm::cli
