// SPDX-License-Identifier: MIT
// policy show, set and check: who may do what with a region.
#include <unistd.h>

#include <memory>

#include <fmt/format.h>

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
        add("process", fmt::format("{}{}", rule.process,
                                   rule.process_start < 0 ? " (of an earlier boot: nobody)" : ""));
    return out.empty() ? "everybody" : out;
}

void print_policy(const PolicyReport& report) {
    const auto& policy = report.policy;
    if (!report.readable)
        print("its policy cannot be read: only its owner and administrators manage it\n");
    print(fmt::format("owner {}, group {}, others {}{}{}\n", to_string(policy.permissions.owner),
                      to_string(policy.permissions.group), to_string(policy.permissions.other),
                      policy.require_encryption ? "; encryption is required" : "",
                      policy.audit ? "; each access is recorded" : ""));
    Table rules({"RULE", "WHO", "MAY"});
    for (std::size_t i = 0; i < policy.rules.size(); ++i)
        rules.add({fmt::format("rules[{}]", i), conditions(policy.rules[i]),
                   allowed(policy.rules[i].allow)});
    if (!policy.rules.empty()) print("\n" + rules.str());
    if (!report.in_effect) print(fmt::format("\nnot in full effect yet: {}\n", report.note));
}

Result<int> shown(const Context& context, const std::string& json) {
    if (context.json) {
        SHM_ASSIGN(const auto document, parse_object(json));
        print_json(document);
        return kDone;
    }
    SHM_ASSIGN(const auto report, parse_policy_report(json));
    print_policy(report);
    return kDone;
}

Result<int> run_show(const Context& context, const std::string& word) {
    std::optional<RegionId> id;
    if (!word.empty()) {
        SHM_ASSIGN(id, RegionId::parse(word));
    }
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto json, client->policy(id));
    return shown(context, json);
}

// ----------------------------------------------------------------------- set
struct SetWords {
    std::string id, file, permissions;
    std::vector<std::string> allow;
    bool require_encryption = false, audit = false;
};

tl::unexpected<Error> wrong_words(std::string_view option, const std::string& word,
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
    if (colon == std::string::npos) return wrong_words("--allow", word, remedy);
    for (const auto& condition : parts_of(word.substr(0, colon), ',')) {
        const auto equals = condition.find('=');
        const auto key = condition.substr(0, equals);
        const auto value = equals == std::string::npos ? "" : condition.substr(equals + 1);
        if (value.empty()) return wrong_words("--allow", word, remedy);
        if (key == "user")
            rule.user = value;
        else if (key == "group")
            rule.group = value;
        else if (key == "program")
            rule.program = value;
        else if (key == "process")
            rule.process = std::strtoll(value.c_str(), nullptr, 10);
        else
            return wrong_words("--allow", word, remedy);
        if (key == "process" && rule.process <= 0) return wrong_words("--allow", word, remedy);
    }
    for (const auto& name : parts_of(word.substr(colon + 1), ',')) {
        const auto right = parse_right(name);
        if (!right) return wrong_words("--allow", word, remedy);
        rule.allow.add(*right);
    }
    return rule;
}

Result<Policy> policy_of(const SetWords& words) {
    Policy policy;
    const auto remedy = "write --permissions owner=rw,group=ro,other=none";
    for (const auto& pair : words.permissions.empty() ? std::vector<std::string>{}
                                                      : parts_of(words.permissions, ',')) {
        const auto equals = pair.find('=');
        const auto key = pair.substr(0, equals);
        const auto permission =
            parse_permission(equals == std::string::npos ? "" : pair.substr(equals + 1));
        auto* const target = key == "owner"   ? &policy.permissions.owner
                             : key == "group" ? &policy.permissions.group
                             : key == "other" ? &policy.permissions.other
                                              : nullptr;
        if (!permission || !target) return wrong_words("--permissions", words.permissions, remedy);
        *target = *permission;
    }
    for (const auto& word : words.allow) {
        SHM_ASSIGN(auto rule, rule_of(word));
        policy.rules.push_back(std::move(rule));
    }
    policy.require_encryption = words.require_encryption;
    policy.audit = words.audit;
    return policy;
}

Result<int> run_set(const Context& context, const SetWords& words) {
    SHM_ASSIGN(const auto id, RegionId::parse(words.id));
    const bool in_words = !words.allow.empty() || !words.permissions.empty() ||
                          words.require_encryption || words.audit;
    if (in_words == !words.file.empty())
        return fail(ErrorCode::invalid_argument,
                    "the policy is given by a file or by options, one of them",
                    "name a file, or - for standard input, or write --allow and --permissions");
    std::string json;
    if (words.file.empty()) {
        SHM_ASSIGN(const auto policy, policy_of(words));
        json = to_json(policy);
    } else {
        SHM_ASSIGN(json, read_policy_text(words.file));
        SHM_TRY(parse_policy(json, words.file));  // here the file can be named with line and column
    }
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto answer, client->set_policy(id, json));
    return shown(context, answer);
}

// --------------------------------------------------------------------- check
Result<int> run_check(const Context& context, const std::string& word) {
    SystemNameResolver names;
    std::optional<PolicyReport> report;
    Policy policy;
    if (const auto id = RegionId::parse(word)) {
        SHM_ASSIGN(auto client, connect(context));
        SHM_ASSIGN(report, report_of(*client, *id));
        policy = report->policy;
    } else {
        SHM_ASSIGN(const auto text, read_policy_text(word));
        SHM_ASSIGN(policy, parse_policy(text, word));
    }
    const auto findings = check_policy(policy, names, report ? &*report : nullptr);
    if (context.json) {
        QJsonArray out;
        for (const auto& finding : findings)
            out.append(QJsonObject{{"where", text(finding.where)},
                                   {"problem", text(finding.problem)},
                                   {"remedy", text(finding.remedy)}});
        print_json({{"findings", out}});
    } else {
        if (findings.empty()) print("nothing found\n");
        for (const auto& finding : findings)
            print(fmt::format("{}: {}: {}\n", finding.where, finding.problem, finding.remedy));
    }
    return findings.empty() ? kDone : kProblemsFound;
}

void add_set(CLI::App& policy, Context& context) {
    auto* set = add_command(policy, context, "set",
                            "Set a region's policy: its owner, who may manage it, administrators");
    auto words = std::make_shared<SetWords>();
    set->add_option("id", words->id, "The region")->required();
    set->add_option("file", words->file, "The policy in JSON; - for standard input");
    set->add_option("--allow", words->allow,
                    "CONDITIONS:RIGHTS, such as user=bob,program=/usr/bin/reader:read,write")
        ->allow_extra_args(false);
    set->add_option("--permissions", words->permissions,
                    "owner=rw,group=ro,other=none (owner=rw when left out)");
    set->add_flag("--require-encryption", words->require_encryption, "Encrypted regions only");
    set->add_flag("--audit", words->audit, "Record each access");
    set->callback([&context, words] {
        context.action = [&context, words] { return run_set(context, *words); };
    });
}

}  // namespace

void add_policy(CLI::App& app, Context& context) {
    auto* policy = app.add_subcommand("policy", "Who may do what with a region");
    policy->require_subcommand(1);
    auto word = std::make_shared<std::string>();
    auto* show = add_command(*policy, context, "show",
                             "Show a region's policy, or that of regions allocated without one");
    show->add_option("id", *word, "The region");
    show->callback([&context, word] {
        context.action = [&context, word] { return run_show(context, *word); };
    });
    auto* check = add_command(*policy, context, "check",
                              "Find what is probably not meant in a policy; exit status 5");
    check->add_option("policy", *word, "A file, - for standard input, or a region")->required();
    check->callback([&context, word] {
        context.action = [&context, word] { return run_check(context, *word); };
    });
    add_set(*policy, context);
    add_what_if(*policy, context);
}

}  // namespace snakepit::shm::cli
