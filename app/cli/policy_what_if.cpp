// SPDX-License-Identifier: MIT
// policy what-if: what a user or a process may do and by which rule, and what another policy would
// change for the programs that are connected.
#include <fmt/format.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "policy.h"
#include "security/subject_query.h"
#include "security/what_if.h"

namespace snakepit::shm::cli {

namespace {

struct WhatIfOptions {
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
                               {"worker", text(client.worker)},
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
    print(fmt::format("role: {}\n", to_string(answer.role)));
    print(table);
}

std::string change_of(const Verdict& before, const Verdict& after) {
    if (before.allowed == after.allowed) return after.allowed ? "yes" : "no";
    return fmt::format("{} ({})", after.allowed ? "gains" : "loses", explain(after));
}

void print_changes(const std::vector<PolicyChange>& changes) {
    if (changes.empty()) return print("\nnothing would change for programs connected now\n");
    Table table({"PID>", "PROCESS", "WORKER", "USER", "READ", "WRITE", "MANAGE", "REFERENCES>"});
    for (const auto& change : changes) {
        const auto& client = change.client;
        table.add({fmt::format("{}", client.subject.credentials.pid), client.process,
                   client.worker.empty() ? "-" : client.worker,
                   user_name(client.subject.credentials.uid),
                   change_of(change.before.read, change.after.read),
                   change_of(change.before.write, change.after.write),
                   change_of(change.before.manage, change.after.manage),
                   fmt::format("{}{}", client.references,
                               change.holds_more() ? " (kept until released)" : "")});
    }
    print("\nprograms connected now:\n");
    print(table);
}

// About a user or a process, a policy that might be set, or both.
struct Answer {
    std::optional<WhatIf> now, then;  // for the user or the process
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

Result<Answer> answer_of(const WhatIfOptions& options, const PolicyReport& report, bool named) {
    SystemNameResolver names;
    Answer answer;
    SHM_ASSIGN(const auto who, subject_of(options.who, names));
    if (named) answer.now = what_if(report, report.policy, who, names);
    if (options.policy.empty()) return answer;
    SHM_ASSIGN(const auto text, read_policy_text(options.policy));
    SHM_ASSIGN(const auto proposed, parse_policy(text, options.policy));
    if (named) answer.then = what_if(report, proposed, who, names);
    answer.changes = what_changes(report, proposed, names);
    answer.can_be_set = !proposed.require_encryption || report.level != SecurityLevel::standard;
    return answer;
}

Result<int> run(const Context& context, const WhatIfOptions& options) {
    const bool named = options.who.named();
    if (!named && options.policy.empty())
        return fail(ErrorCode::invalid_argument, "what-if needs a user, a process or a policy",
                    "give --user or --process, or --policy to show its effect");
    SHM_ASSIGN(const auto target, connect_to(context, {options.id}));
    const auto& id = target.ids.front();
    SHM_ASSIGN(const auto report, report_of(*target.client, id));
    SHM_ASSIGN(const auto answer, answer_of(options, report, named));
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

void add_what_if(Command& policy) {
    auto& command = policy.add(
        "what-if", "Show what a user or process may do with a region, and by which rule");
    auto& options = command.options<WhatIfOptions>();
    command.argument("ID", options.id, "The region").required().completed_with(Completion::regions);
    command.option("--user", "USER", options.who.user,
                   "This user, by name or number, with its login groups");
    command.option("--group", "GROUP", options.who.group, "With this group too");
    command.option("--program", "PATH", options.who.program, "Running this program")
        .completed_with(Completion::files);
    command.option("--process", "PID", options.who.process,
                   "This running process, in place of all of the above");
    command
        .option("--policy", "FILE", options.policy,
                "Under this policy in JSON, not set yet; - is standard input")
        .with_file(FilePlace::read_here);
    command.run(run, options);
}

}  // namespace snakepit::shm::cli
