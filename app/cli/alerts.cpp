// SPDX-License-Identifier: MIT
// alerts: what fires and what fired; acknowledging and silencing.
#include <memory>

#include <fmt/format.h>

#include "alerts.h"
#include "alerts/alert.h"
#include "base/counted.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct HistoryWords {
    bool history = false;
    std::string rule, subject;
    int limit = 50;
};

struct SilenceWords {
    std::string rule, subject, length, comment;
    bool until_resolved = false;
};

std::string compact(const QJsonObject& object) {
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

std::string marks(const Alert& alert) {
    std::string out(to_string(alert.state));
    if (alert.flapping) out += fmt::format(", flapping ({})", counted(alert.times_fired, "time"));
    if (alert.silenced) out += ", silenced";
    if (alert.acknowledged_at.micros != 0) out += ", seen by " + alert.acknowledged_by;
    return out;
}

void print_alerts(const std::vector<Alert>& alerts, bool history) {
    Table table({"ID>", "SEVERITY", "ALERT", "SUBJECT", "VALUE>", history ? "FIRED" : "SINCE>",
                 history ? "RESOLVED" : "STATE"});
    for (const auto& alert : alerts)
        table.add({fmt::format("{}", alert.id), std::string(to_string(alert.severity)), alert.rule,
                   alert.subject.empty() ? "-" : alert.subject,
                   value_text(history ? alert.worst : alert.value, alert.unit),
                   history ? to_rfc3339(alert.fired_at) : age(alert.since),
                   !history                        ? marks(alert)
                   : alert.resolved_at.micros != 0 ? to_rfc3339(alert.resolved_at)
                                                   : marks(alert)});
    print(table.str());
}

Result<int> list(const Context& context) {
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
        print(fmt::format("\n{} {}: {}\n    {}\n    {}\n", alert.id, harmless(alert.title),
                          alert.subject.empty() ? "the instance" : harmless(alert.subject),
                          harmless(alert.evidence), harmless(alert.remedy)));
    if (const auto more = object["left_out"].toInteger(); more > 0)
        print(fmt::format("\nand {} more\n", more));
    return kDone;
}

Result<int> history(const Context& context, const HistoryWords& words) {
    SHM_ASSIGN(auto client, connect(context));
    HistoryQuery query;
    query.limit = static_cast<std::uint64_t>(words.limit);
    query.rule = words.rule;
    query.subject = words.subject;
    SHM_ASSIGN(const auto found, ask_history(asker(*client), query));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(to_json(found)));
        print_json(object);
    } else if (found.alerts.empty()) {
        print("nothing has fired\n");
    } else {
        print_alerts(found.alerts, true);
    }
    return kDone;
}

Result<int> acknowledge(const Context& context, const std::vector<std::uint64_t>& ids,
                        const std::string& comment) {
    SHM_ASSIGN(auto client, connect(context));
    QJsonArray done;
    for (const auto id : ids) {
        SHM_ASSIGN(const auto json, client->alerts("ack", compact({{"id", shm::cli::json(id)},
                                                                   {"comment", text(comment)}})));
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
    return silence.until.micros == 0 ? "until it is resolved" : to_rfc3339(silence.until);
}

Result<int> silence(const Context& context, const SilenceWords& words) {
    if (words.until_resolved != words.length.empty())
        return fail(ErrorCode::invalid_argument, "it is not said how long to be silent",
                    "add --for 2h, or --until-resolved");
    QJsonValue until = QJsonValue::Null;
    if (!words.length.empty()) {
        SHM_ASSIGN(const auto millis, parse_duration(words.length));
        until = text(to_rfc3339({now().micros + millis * 1000}));
    }
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto json,
               client->alerts("silence", compact({{"rule", text(words.rule)},
                                                  {"subject", text(words.subject)},
                                                  {"until", until},
                                                  {"comment", text(words.comment)}})));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(json));
        print_json(object);
        return kDone;
    }
    SHM_ASSIGN(const auto made, parse_silence(json));
    print(fmt::format("silence {}: {}, {}\n", made.id, describe(made), end_of(made)));
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
    print(table.str());
    return kDone;
}

Result<int> unsilence(const Context& context, std::uint64_t id) {
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

void add_ack(CLI::App& alerts, Context& context) {
    auto* command =
        add_command(alerts, context, "ack", "Say that you have seen it: nobody is told again");
    auto ids = std::make_shared<std::vector<std::uint64_t>>();
    auto comment = std::make_shared<std::string>();
    command->add_option("id", *ids, "The alerts")->required();
    command->add_option("--comment", *comment, "What you know or do about it");
    command->callback([&context, ids, comment] {
        context.action = [&context, ids, comment] { return acknowledge(context, *ids, *comment); };
    });
}

void add_silence(CLI::App& alerts, Context& context) {
    auto* command = add_command(alerts, context, "silence",
                                "Tell nobody of what matches; it is shown and kept all the same");
    auto words = std::make_shared<SilenceWords>();
    command->add_option("--rule", words->rule, "Of this rule only");
    command->add_option("--subject", words->subject, "About this subject only");
    command->add_option("--for", words->length, "How long: 2h");
    command->add_flag("--until-resolved", words->until_resolved, "Until what matches now is over");
    command->add_option("--comment", words->comment, "Why");
    command->callback([&context, words] {
        context.action = [&context, words] { return silence(context, *words); };
    });
    auto* all = add_command(alerts, context, "silences", "Show silences");
    all->callback([&context] { context.action = [&context] { return silences(context); }; });
    auto* end = add_command(alerts, context, "unsilence", "End a silence");
    auto id = std::make_shared<std::uint64_t>();
    end->add_option("id", *id, "The silence")->required();
    end->callback(
        [&context, id] { context.action = [&context, id] { return unsilence(context, *id); }; });
}

}  // namespace

void add_alerts(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "alerts", "Show what is wrong now, and what was");
    auto words = std::make_shared<HistoryWords>();
    command->add_flag("--history", words->history, "What has fired, the newest first");
    command->add_option("--rule", words->rule, "With --history: of this rule only");
    command->add_option("--subject", words->subject, "With --history: about this subject only");
    command->add_option("--limit", words->limit, "With --history: so many (default 50)")
        ->check(CLI::Range(1, 10'000));
    add_ack(*command, context);
    add_silence(*command, context);
    add_alert_rules(*command, context);
    add_backtest(*command, context);
    // The parser calls the inner command's first, then this one.
    command->callback([&context, command, words] {
        if (!command->get_subcommands().empty()) return;
        context.action = [&context, words] {
            return words->history ? history(context, *words) : list(context);
        };
    });
}

}  // namespace snakepit::shm::cli
