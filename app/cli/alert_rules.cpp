// SPDX-License-Identifier: MIT
// alerts rules and alerts backtest.
#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "alerts.h"
#include "alerts/backtest.h"
#include "base/pluralize.h"
#include "base/units.h"
#include "json.h"
#include "moments.h"
#include "output.h"
#include "read_document.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kMostBytes = 64 * 1024;

constexpr auto kFooter = R"(A rule is a JSON object:
  {"name": "busy-locks", "metric": "lock_waiters", "comparison": ">", "threshold": 20,
   "resolve_threshold": 5, "for_ms": "1m", "severity": "warning", "remedy": "…"}
  {"name": "evictions", "event": "lock_forced", "comparison": ">=", "threshold": 3,
   "window_ms": "10m", "group": "user"}
Also: title, resolve_for_ms, enabled, count_at_least (of events). 'rules --json' prints all rules.)";

struct BacktestOptions {
    std::string name, file, since = "7d";
};

Result<AlertRule> rule_named(const std::vector<AlertRule>& rules, const std::string& name) {
    const auto found = std::find_if(rules.begin(), rules.end(),
                                    [&](const AlertRule& rule) { return rule.name == name; });
    if (found != rules.end()) return *found;
    return fail(ErrorCode::platform_error, fmt::format("unknown rule '{}'", name),
                "'snakepit-shm alerts rules' lists them");
}

QJsonObject rule_json(const AlertRule& rule) {
    return parse_object(to_json(rule)).value_or(QJsonObject());
}

Result<int> list_rules(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto rules, ask_rules(asker(*client)));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(to_json(rules)));
        print_json(object);
        return kDone;
    }
    Table table({"RULE", "SEVERITY", "FIRES WHEN", "FOR EACH", "STATE"});
    for (const auto& rule : rules)
        table.add({rule.name, std::string(to_string(rule.severity)), condition_text(rule),
                   rule.group == AlertGroup::none ? "-" : std::string(to_string(rule.group)),
                   fmt::format("{}{}", rule.enabled ? "on" : "off",
                               rule.built_in ? "" : ", of this instance")});
    print(table);
    return kDone;
}

Result<int> send_rule(const Context& context, ManagerClient& client, const AlertRule& rule) {
    SHM_ASSIGN(const auto json, client.alerts("set_rule", to_json(rule)));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(json));
        print_json(object);
    } else {
        print(fmt::format("{} is {}: {}\n", rule.name, rule.enabled ? "on" : "off",
                          condition_text(rule)));
    }
    return kDone;
}

Result<int> set_rule(const Context& context, const std::string& file) {
    SHM_ASSIGN(const auto rule, read_rule(file));
    SHM_ASSIGN(auto client, connect(context));
    return send_rule(context, *client, rule);
}

Result<int> check_rule_file(const Context& context, const std::string& file) {
    SHM_ASSIGN(const auto rule, read_rule(file));
    if (context.json)
        print_json({{"valid", true}, {"rule", rule_json(rule)}});
    else
        print(fmt::format("{} is valid: {}\n", rule.name, condition_text(rule)));
    return kDone;
}

Result<int> switch_rule(const Context& context, const std::string& name, bool enabled) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto rules, ask_rules(asker(*client)));
    SHM_ASSIGN(auto rule, rule_named(rules, name));
    rule.enabled = enabled;
    return send_rule(context, *client, rule);
}

Result<int> remove_rule(const Context& context, const std::string& name) {
    SHM_ASSIGN(auto client, connect(context));
    const QJsonObject arguments{{"name", text(name)}};
    SHM_ASSIGN(
        const auto json,
        client->alerts("remove_rule",
                       QJsonDocument(arguments).toJson(QJsonDocument::Compact).toStdString()));
    if (context.json) {
        SHM_ASSIGN(const auto object, parse_object(json));
        print_json(object);
        return kDone;
    }
    SHM_ASSIGN(const auto left, ask_rules(asker(*client)));
    print(rule_named(left, name) ? fmt::format("{} has its default again\n", name)
                                 : fmt::format("{} is removed\n", name));
    return kDone;
}

// Without a manager only the default set is known.
Result<AlertRule> rule_to_test(const Context& context, const BacktestOptions& options) {
    if (options.name.empty() == options.file.empty())
        return fail(ErrorCode::invalid_argument, "the rule to test is missing",
                    "name one, or give --file RULE.json");
    if (!options.file.empty()) return read_rule(options.file);
    auto client = connect(context);
    if (!client && client.error().code == ErrorCode::no_manager)
        return rule_named(default_rules(), options.name);
    if (!client) return fail(std::move(client).error());
    SHM_ASSIGN(const auto rules, ask_rules(asker(**client)));
    return rule_named(rules, options.name);
}

void print_backtest(const AlertRule& rule, const Backtest& result) {
    if (result.from.micros == 0) return print("nothing was recorded in that time\n");
    print(
        fmt::format("{}: {}\nfrom {} to {}: would have fired {}{}\n", rule.name,
                    condition_text(rule), to_rfc3339(result.from), to_rfc3339(result.to),
                    result.firings.size() == 1 ? "once" : pluralize(result.firings.size(), "time"),
                    result.firings.empty() ? "" : ":"));
    if (result.firings.empty()) return;
    Table table({"FIRED", "RESOLVED", "AFTER>", "WORST>", "SUBJECT"});
    for (const auto& firing : result.firings) {
        const bool over = firing.resolved_at.micros != 0;
        table.add(
            {to_rfc3339(firing.fired_at), over ? to_rfc3339(firing.resolved_at) : "not yet",
             over ? format_duration((firing.resolved_at.micros - firing.fired_at.micros) / 1000)
                  : "-",
             value_text(firing.worst, unit_of(rule)),
             firing.subject.empty() ? "-" : firing.subject});
    }
    print(table);
}

QJsonObject backtest_json(const AlertRule& rule, const Backtest& result) {
    QJsonArray firings;
    for (const auto& firing : result.firings)
        firings.append(QJsonObject{{"fired_at", json(firing.fired_at)},
                                   {"resolved_at", json(firing.resolved_at)},
                                   {"subject", text(firing.subject)},
                                   {"worst", firing.worst}});
    return {{"rule", rule_json(rule)},
            {"from", json(result.from)},
            {"to", json(result.to)},
            {"points", json(result.points)},
            {"firings", firings}};
}

Result<int> run_backtest(const Context& context, const BacktestOptions& options) {
    SHM_ASSIGN(const auto since, moment(options.since));
    SHM_ASSIGN(const auto rule, rule_to_test(context, options));
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    SHM_ASSIGN(const auto result, backtest(rule, paths.metrics_db(), paths.events_db(),
                                           since.value_or(Timestamp{}), now()));
    if (context.json)
        print_json(backtest_json(rule, result));
    else
        print_backtest(rule, result);
    return kDone;
}

Result<int> enable_rule(const Context& context, const std::string& name) {
    return switch_rule(context, name, true);
}

Result<int> disable_rule(const Context& context, const std::string& name) {
    return switch_rule(context, name, false);
}

// A command that takes the name of a rule, or a file with one.
void add_with_word(Command& rules, const char* name, const char* summary, const char* placeholder,
                   Result<int> (*run)(const Context&, const std::string&)) {
    auto& command = rules.add(name, summary);
    auto& word = command.options<std::string>();
    const bool file = std::string_view(placeholder) == "FILE";
    auto& argument = command.argument(placeholder, word,
                                      file ? "The rule in JSON; - is standard input" : "The rule");
    argument.required();
    if (file) argument.with_file(FilePlace::read_here);
    command.run(run, word);
}

}  // namespace

Result<AlertRule> read_rule(const std::string& file) {
    SHM_ASSIGN(const auto json, read_document(file, kMostBytes, "the rule"));
    if (json.size() > kMostBytes)
        return fail(ErrorCode::alert_rule_invalid, fmt::format("{} is too long for a rule", file),
                    "give a file with one rule");
    auto rule = parse_rule(json);
    if (!rule && file != "-") rule.error().message = file + ": " + rule.error().message;
    return rule;
}

AlertAsk asker(ManagerClient& client) {
    return [&client](const std::string& action, const std::string& arguments) {
        return client.alerts(action, arguments);
    };
}

void add_alert_rules(Command& alerts) {
    auto& rules = alerts.add("rules", "List alert rules, or change them");
    rules.run(list_rules);
    rules.footer(kFooter);
    add_with_word(rules, "set", "Add or replace a rule (administrators)", "FILE", set_rule);
    add_with_word(rules, "check", "Check a rule; needs no manager", "FILE", check_rule_file);
    add_with_word(rules, "enable", "Switch a rule on (administrators)", "NAME", enable_rule);
    add_with_word(rules, "disable", "Switch a rule off (administrators)", "NAME", disable_rule);
    add_with_word(rules, "remove", "Remove a rule; a built-in rule gets its default again", "NAME",
                  remove_rule);
}

void add_backtest(Command& alerts) {
    auto& command = alerts.add("backtest", "Show when a rule would have fired on recorded data");
    auto& options = command.options<BacktestOptions>();
    command.argument("NAME", options.name, "An existing rule");
    command.option("--file", "FILE", options.file, "A rule in JSON")
        .with_file(FilePlace::read_here);
    command.option("--since", "TIME", options.since,
                   "From this time on, or from this long ago (default: 7d)");
    command.run(run_backtest, options);
}

}  // namespace snakepit::shm::cli
