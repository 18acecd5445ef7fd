// SPDX-License-Identifier: MIT
// policy what-if: what somebody may do and by which rule, and what another policy would change for
// those who hold the region or could open it now.
#include <memory>

#include <fmt/format.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "policy.h"
#include "security/subject_query.h"
#include "security/what_if.h"

namespace snakepit::shm::cli {

namespace {

struct Words {
    std::string id, policy;
    SubjectQuery who;
};

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

void print_what_if(const WhatIf& answer) {
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

// What is said: of somebody, of a policy that might be set, or of both.
struct Answer {
    std::optional<WhatIf> now, then;  // for somebody
    std::optional<std::vector<PolicyChange>> changes;
    bool can_be_set = true;
};

QJsonObject answer_json(const Answer& answer) {
    QJsonObject out;
    if (answer.now) out.insert("now", what_if_json(*answer.now));
    if (answer.then) out.insert("then", what_if_json(*answer.then));
    if (!answer.changes) return out;
    out.insert("changes", changes_json(*answer.changes));
    out.insert("can_be_set", answer.can_be_set);
    return out;
}

void print_answer(const Answer& answer) {
    if (const auto& shown = answer.then ? answer.then : answer.now) print_what_if(*shown);
    if (answer.changes) print_changes(*answer.changes);
    if (!answer.can_be_set)
        print("\nit cannot be set: it requires encryption, and the region is not encrypted\n");
}

Result<Answer> answer_of(const Words& words, const PolicyReport& report, bool somebody) {
    SystemNameResolver names;
    Answer answer;
    SHM_ASSIGN(const auto who, subject_of(words.who, names));
    if (somebody) answer.now = what_if(report, report.policy, who, names);
    if (words.policy.empty()) return answer;
    SHM_ASSIGN(const auto text, read_policy_text(words.policy));
    SHM_ASSIGN(const auto proposed, parse_policy(text, words.policy));
    if (somebody) answer.then = what_if(report, proposed, who, names);
    answer.changes = what_changes(report, proposed, names);
    answer.can_be_set = !proposed.require_encryption || report.level != SecurityLevel::standard;
    return answer;
}

Result<int> run(const Context& context, const Words& words) {
    SHM_ASSIGN(const auto id, RegionId::parse(words.id));
    const bool somebody = words.who.named();
    if (!somebody && words.policy.empty())
        return fail(ErrorCode::invalid_argument, "what-if needs somebody to ask about",
                    "name --user or --process, or a --policy whose effect is to be told");
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto report, report_of(*client, id));
    SHM_ASSIGN(const auto answer, answer_of(words, report, somebody));
    if (context.json) {
        auto document = answer_json(answer);
        document.insert("region_id", text(id.str()));
        print_json(document);
    } else {
        print_answer(answer);
    }
    return kDone;
}

}  // namespace

void add_what_if(CLI::App& policy, Context& context) {
    auto* command = add_command(policy, context, "what-if",
                                "What somebody may do with a region, and by which rule");
    auto words = std::make_shared<Words>();
    command->add_option("id", words->id, "The region")->required();
    command->add_option("--user", words->who.user,
                        "By name or number, with the groups it logs in with");
    command->add_option("--group", words->who.group, "Another group it is in");
    command->add_option("--program", words->who.program, "The program it runs");
    command->add_option("--process", words->who.process,
                        "A process that runs, for all of the above");
    command->add_option("--policy", words->policy,
                        "A policy in JSON (- for standard input) that might be set instead");
    command->callback(
        [&context, words] { context.action = [&context, words] { return run(context, *words); }; });
}

}  // namespace snakepit::shm::cli
