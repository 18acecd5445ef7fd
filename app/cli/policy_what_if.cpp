// SPDX-License-Identifier: MIT
// policy what-if: what somebody may do and by which rule, and what another policy would change for
// those who hold the region or could open it now.
#include <memory>

#include <fmt/format.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "platform/identity.h"
#include "platform/process.h"
#include "policy.h"
#include "security/what_if.h"

namespace snakepit::shm::cli {

namespace {

struct Words {
    std::string id, user, group, program, policy;
    std::int64_t process = 0;
};

Status add_process(const Words& words, Subject& who) {
    SHM_ASSIGN(const auto info, inspect_process(words.process));
    SHM_ASSIGN(const auto identity, identify_process(words.process, info.start_time));
    who.credentials = {words.process, info.uid, info.gid};
    who.groups = identity->groups();
    who.start_time = info.start_time;
    who.program = identity->program();
    return {};
}

Result<Subject> subject_of(const Words& words, Names& names) {
    const auto unknown = [](const char* what, const std::string& name) {
        return fail(ErrorCode::invalid_argument, fmt::format("there is no {} '{}'", what, name),
                    "correct the name, or give its number");
    };
    Subject who;
    if (words.process != 0) SHM_TRY(add_process(words, who));
    if (!words.user.empty()) {
        const auto uid = names.user(words.user);
        if (!uid) return unknown("user", words.user);
        who.credentials.uid = *uid;
        who.credentials.gid = ~0U;  // of nobody, unless the system knows the user's
        who.groups = login_groups(*uid, who.credentials.gid);
    }
    if (!words.group.empty()) {
        const auto gid = names.group(words.group);
        if (!gid) return unknown("group", words.group);
        who.groups.push_back(*gid);
    }
    if (!words.program.empty()) {
        who.program = names.program(words.program);
        if (!who.program) return unknown("program", words.program);
    }
    return who;
}

QJsonObject verdict_json(const Verdict& verdict) {
    return {{"allowed", verdict.allowed}, {"by", text(explain(verdict))}};
}

QJsonObject what_if_json(const WhatIf& answer) {
    return {{"role", text(to_string(answer.role))},
            {"read", verdict_json(answer.read)},
            {"write", verdict_json(answer.write)},
            {"manage", verdict_json(answer.manage)},
            {"see", verdict_json(answer.look)}};
}

QJsonArray changes_json(const std::vector<PolicyChange>& changes) {
    QJsonArray out;
    for (const auto& change : changes) {
        const auto& client = change.client;
        out.append(QJsonObject{{"pid", json(client.subject.credentials.pid)},
                               {"uid", json(std::int64_t{client.subject.credentials.uid})},
                               {"process", text(client.process)},
                               {"references", json(client.references)},
                               {"gains", change.gains()},
                               {"loses", change.loses()},
                               {"keeps_until_given_back", change.holds_more()},
                               {"before", what_if_json(change.before)},
                               {"after", what_if_json(change.after)}});
    }
    return out;
}

void print_answer(const WhatIf& answer) {
    Table table({"OPERATION", "MAY", "BY"});
    const auto add = [&](const char* name, const Verdict& verdict) {
        table.add({name, verdict.allowed ? "yes" : "no", explain(verdict)});
    };
    add("read", answer.read);
    add("write", answer.write);
    add("manage", answer.manage);
    add("see", answer.look);
    print(fmt::format("role: {}\n", to_string(answer.role)) + table.str());
}

std::string change_of(const Verdict& before, const Verdict& after) {
    if (before.allowed == after.allowed) return after.allowed ? "yes" : "no";
    return fmt::format("{} ({})", after.allowed ? "gains" : "loses", explain(after));
}

void print_changes(const std::vector<PolicyChange>& changes) {
    if (changes.empty()) return print("\nnothing would change for those connected now\n");
    Table table({"PID>", "PROCESS", "USER", "READ", "WRITE", "MANAGE", "REFERENCES>"});
    for (const auto& change : changes) {
        const auto& client = change.client;
        table.add({fmt::format("{}", client.subject.credentials.pid), client.process,
                   user_name(client.subject.credentials.uid),
                   change_of(change.before.read, change.after.read),
                   change_of(change.before.write, change.after.write),
                   change_of(change.before.manage, change.after.manage),
                   fmt::format("{}{}", client.references,
                               change.holds_more() ? " (kept until given back)" : "")});
    }
    print("\nof those connected now:\n" + table.str());
}

Result<int> run(const Context& context, const Words& words) {
    SHM_ASSIGN(const auto id, RegionId::parse(words.id));
    const bool somebody =
        !words.user.empty() || !words.group.empty() || !words.program.empty() || words.process != 0;
    if (!somebody && words.policy.empty())
        return fail(ErrorCode::invalid_argument, "what-if needs somebody to ask about",
                    "name --user or --process, or a --policy whose effect is to be told");
    SystemNames names;
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto report, report_of(*client, id));
    SHM_ASSIGN(const auto who, subject_of(words, names));
    std::optional<Policy> proposed;
    if (!words.policy.empty()) {
        SHM_ASSIGN(const auto text, read_policy_text(words.policy));
        SHM_ASSIGN(proposed, parse_policy(text, words.policy));
    }
    const auto now = what_if(report, report.policy, who, names);
    const auto then = proposed ? what_if(report, *proposed, who, names) : now;
    const auto changes =
        proposed ? what_changes(report, *proposed, names) : std::vector<PolicyChange>{};
    const bool refused =
        proposed && proposed->require_encryption && report.level == SecurityLevel::standard;
    if (context.json) {
        QJsonObject out{{"region_id", text(id.str())}};
        if (somebody) out.insert("now", what_if_json(now));
        if (proposed) {
            if (somebody) out.insert("then", what_if_json(then));
            out.insert("changes", changes_json(changes));
            out.insert("can_be_set", !refused);
        }
        print_json(out);
        return kDone;
    }
    if (somebody) print_answer(then);
    if (proposed) print_changes(changes);
    if (refused)
        print("\nit cannot be set: it requires encryption, and the region is not encrypted\n");
    return kDone;
}

}  // namespace

void add_what_if(CLI::App& policy, Context& context) {
    auto* command = add_command(policy, context, "what-if",
                                "What somebody may do with a region, and by which rule");
    auto words = std::make_shared<Words>();
    command->add_option("id", words->id, "The region")->required();
    command->add_option("--user", words->user,
                        "By name or number, with the groups it logs in with");
    command->add_option("--group", words->group, "Another group it is in");
    command->add_option("--program", words->program, "The program it runs");
    command->add_option("--process", words->process, "A process that runs, for all of the above");
    command->add_option("--policy", words->policy,
                        "A policy in JSON (- for standard input) that might be set instead");
    command->callback(
        [&context, words] { context.action = [&context, words] { return run(context, *words); }; });
}

}  // namespace snakepit::shm::cli
