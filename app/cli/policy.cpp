// SPDX-License-Identifier: MIT
// policy show, set and check: access to a region.
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include <QFile>

#include "command.h"
#include "json.h"
#include "output.h"
#include "policy.h"
#include "read_document.h"
#include "security/policy_check.h"

namespace snakepit::shm::cli {

Result<std::string> read_policy_text(const std::string& file) {
    return read_document(file, kMaxPolicyBytes, "the policy");
}

Result<PolicyReport> report_of(ManagerClient& client, const std::optional<RegionId>& id) {
    SHM_ASSIGN(const auto json, client.policy(id));
    return parse_policy_report(json);
}

namespace {

std::string allowed(Rights rights) {
    std::string out;
    for (const auto right : {Right::read, Right::write, Right::manage})
        if (rights.has(right)) out += (out.empty() ? "" : ", ") + std::string(to_string(right));
    return out;
}

std::string conditions(const PolicyRule& rule) {
    std::string out;
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, value);
    };
    add("user", rule.user);
    add("group", rule.group);
    add("program", rule.program);
    if (rule.process != 0)
        add("process",
            fmt::format("{}{}", rule.process,
                        rule.process_start < 0 ? " (of an earlier boot: matches no process)" : ""));
    return out.empty() ? "all users" : out;
}

void print_policy(const PolicyReport& report) {
    const auto& policy = report.policy;
    if (!report.readable)
        print("the policy cannot be read: only the owner and administrators manage the region\n");
    print(fmt::format("owner {}, group {}, others {}{}{}\n", to_string(policy.permissions.owner),
                      to_string(policy.permissions.group), to_string(policy.permissions.other),
                      policy.require_encryption ? "; encryption is required" : "",
                      policy.audit ? "; each access is recorded" : ""));
    Table rules({"RULE", "WHO", "MAY"});
    for (std::size_t i = 0; i < policy.rules.size(); ++i)
        rules.add({fmt::format("rules[{}]", i), conditions(policy.rules[i]),
                   allowed(policy.rules[i].allow)});
    if (!policy.rules.empty()) {
        print("\n");
        print(rules);
    }
    if (!report.in_effect) print(fmt::format("\nnot in full effect yet: {}\n", report.note));
}

QJsonArray findings_json(const std::vector<PolicyFinding>& findings) {
    QJsonArray out;
    for (const auto& finding : findings)
        out.append(QJsonObject{{"where", text(finding.where)},
                               {"problem", text(finding.problem)},
                               {"remedy", text(finding.remedy)}});
    return out;
}

Result<int> shown(const Context& context, const std::string& json,
                  const std::optional<std::vector<PolicyFinding>>& warnings = std::nullopt) {
    if (context.json) {
        SHM_ASSIGN(auto document, parse_object(json));
        if (warnings) document.insert("warnings", findings_json(*warnings));
        print_json(document);
        return kDone;
    }
    SHM_ASSIGN(const auto report, parse_policy_report(json));
    print_policy(report);
    return kDone;
}

Result<int> show_policy(const Context& context, const std::string& word) {
    const auto words = word.empty() ? std::vector<std::string>{} : std::vector<std::string>{word};
    SHM_ASSIGN(const auto target, connect_to(context, words));
    SHM_ASSIGN(
        const auto json,
        target.client->policy(word.empty() ? std::nullopt : std::optional(target.ids.front())));
    return shown(context, json);
}

// ----------------------------------------------------------------------- set
struct PolicyOptions {
    std::string id, file, permissions;
    std::vector<std::string> allow;
    bool require_encryption = false, audit = false;
};

tl::unexpected<Error> malformed(std::string_view option, const std::string& word,
                                std::string remedy) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} '{}' is not understood", option, word),
                std::move(remedy));
}

std::vector<std::string> parts_of(const std::string& text, char separator) {
    std::vector<std::string> out;
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find(separator, from), text.size());
        out.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return out;
}

// "user=bob,program=/usr/bin/reader:read,write"
Result<PolicyRule> rule_of(const std::string& word) {
    const auto remedy =
        "write --allow user=bob,group=sim:read,write (user, group, program, process)";
    PolicyRule rule;
    const auto colon = word.rfind(':');
    if (colon == std::string::npos) return malformed("--allow", word, remedy);
    for (const auto& condition : parts_of(word.substr(0, colon), ',')) {
        const auto equals = condition.find('=');
        const auto key = condition.substr(0, equals);
        const auto value = equals == std::string::npos ? "" : condition.substr(equals + 1);
        if (value.empty()) return malformed("--allow", word, remedy);
        if (key == "user")
            rule.user = value;
        else if (key == "group")
            rule.group = value;
        else if (key == "program")
            rule.program = value;
        else if (key == "process")
            rule.process = std::strtoll(value.c_str(), nullptr, 10);
        else
            return malformed("--allow", word, remedy);
        if (key == "process" && rule.process <= 0) return malformed("--allow", word, remedy);
    }
    for (const auto& name : parts_of(word.substr(colon + 1), ',')) {
        const auto right = parse_right(name);
        if (!right) return malformed("--allow", word, remedy);
        rule.allow.add(*right);
    }
    return rule;
}

Result<Policy> policy_of(const PolicyOptions& options) {
    Policy policy;
    const auto remedy = "write --permissions owner=rw,group=ro,other=none";
    for (const auto& pair : options.permissions.empty() ? std::vector<std::string>{}
                                                        : parts_of(options.permissions, ',')) {
        const auto equals = pair.find('=');
        const auto key = pair.substr(0, equals);
        const auto permission =
            parse_permission(equals == std::string::npos ? "" : pair.substr(equals + 1));
        auto* const target = key == "owner"   ? &policy.permissions.owner
                             : key == "group" ? &policy.permissions.group
                             : key == "other" ? &policy.permissions.other
                                              : nullptr;
        if (!permission || !target) return malformed("--permissions", options.permissions, remedy);
        *target = *permission;
    }
    for (const auto& word : options.allow) {
        SHM_ASSIGN(auto rule, rule_of(word));
        policy.rules.push_back(std::move(rule));
    }
    policy.require_encryption = options.require_encryption;
    policy.audit = options.audit;
    return policy;
}

// It was set all the same: the user or the program may be made later.
std::vector<PolicyFinding> rules_for_nobody(const PolicyReport& report) {
    SystemNameResolver names;
    auto findings = check_policy(report.policy, names, &report);
    std::erase_if(findings, [](const auto& finding) { return !finding.matches_nobody; });
    return findings;
}

Result<int> set_policy(const Context& context, const PolicyOptions& options) {
    const bool by_options = !options.allow.empty() || !options.permissions.empty() ||
                            options.require_encryption || options.audit;
    if (by_options == !options.file.empty())
        return fail(ErrorCode::invalid_argument, "give the policy either by a file or by options",
                    "name a file, - for standard input, or give --allow and --permissions");
    std::string json;
    if (options.file.empty()) {
        SHM_ASSIGN(const auto policy, policy_of(options));
        json = to_json(policy);
    } else {
        SHM_ASSIGN(json, read_policy_text(options.file));
        SHM_TRY(
            parse_policy(json, options.file));  // here the file can be named with line and column
    }
    SHM_ASSIGN(const auto target, connect_to(context, {options.id}));
    SHM_ASSIGN(const auto answer, target.client->set_policy(target.ids.front(), json));
    SHM_ASSIGN(const auto report, parse_policy_report(answer));
    const auto warnings = rules_for_nobody(report);
    for (const auto& warning : warnings)
        print_note(context, fmt::format("{}: {}, so the rule matches no process: {}", warning.where,
                                        warning.problem, warning.remedy));
    return shown(context, answer, warnings);
}

// --------------------------------------------------------------------- check
// Else a region, also "USER/NAME".
bool names_a_file(const std::string& word) {
    std::error_code unknown;
    return word == "-" || word.starts_with('/') || word.starts_with('.') ||
           word.ends_with(".json") ||
           (!RegionId::parse(word) && std::filesystem::exists(word, unknown));
}

Result<int> check_policy(const Context& context, const std::string& word) {
    SystemNameResolver names;
    std::optional<PolicyReport> report;
    Policy policy;
    const auto target = names_a_file(word)
                            ? Result<ConnectedTo>(fail(ErrorCode::invalid_region_id, {}))
                            : connect_to(context, {word});
    if (target) {
        SHM_ASSIGN(report, report_of(*target->client, target->ids.front()));
        policy = report->policy;
    } else if (target.error().code == ErrorCode::invalid_region_id) {
        SHM_ASSIGN(const auto text, read_policy_text(word));
        SHM_ASSIGN(policy, parse_policy(text, word));
    } else {
        return fail(target.error());
    }
    const auto findings = check_policy(policy, names, report ? &*report : nullptr);
    if (context.json) {
        print_json({{"findings", findings_json(findings)}});
    } else {
        if (findings.empty()) print("no problems found\n");
        for (const auto& finding : findings)
            print(fmt::format("{}: {}: {}\n", finding.where, finding.problem, finding.remedy));
    }
    return findings.empty() ? kDone : kProblemsFound;
}

void add_set(Command& policy) {
    auto& set =
        policy.add("set", "Set a region's policy (its owner, managers by policy, administrators)");
    auto& options = set.options<PolicyOptions>();
    set.argument("ID", options.id, "The region").required().completed_with(Completion::regions);
    set.argument("FILE", options.file, "The policy in JSON; - is standard input")
        .with_file(FilePlace::read_here);
    set.option("--allow", "CONDITIONS:RIGHTS", options.allow,
               "Add a rule, such as user=bob,program=/usr/bin/reader:read,write");
    set.option("--permissions", "LIST", options.permissions,
               "Set permissions: owner=rw,group=ro,other=none (owner=rw if left out)");
    set.flag("--require-encryption", options.require_encryption, "Accept only encrypted regions");
    set.flag("--audit", options.audit, "Record each access");
    set.run(set_policy, options);
}

}  // namespace

void add_policy(Command& app) {
    auto& policy = app.add("policy", "Show, set, check or try out a region's access policy");
    auto& show = policy.add("show", "Show a region's policy, or the default policy");
    auto& shown = show.options<std::string>();
    show.argument("ID", shown, "The region (default: the policy of regions allocated without one)")
        .completed_with(Completion::regions);
    show.run(show_policy, shown);
    auto& check =
        policy.add("check", "Find probable mistakes in a policy; exit status 5 if there are any");
    auto& checked = check.options<std::string>();
    check.argument("POLICY", checked, "A file, - for standard input, or a region")
        .required()
        .with_file(FilePlace::read_if_present);
    check.run(check_policy, checked);
    add_set(policy);
    add_what_if(policy);
}

}  // namespace snakepit::shm::cli
