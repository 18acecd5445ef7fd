// SPDX-License-Identifier: MIT
// locks: who has which region locked and who waits for whom; and taking a lock away.
#include <charconv>
#include <memory>

#include <fmt/format.h>

#include <QJsonArray>

#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

std::string waits_for(const LockWaiter& waiter) {
    std::string out;
    for (const auto pid : waiter.waits_for)
        out += fmt::format("{}{}", out.empty() ? "waits for " : ", ", pid);
    return out;
}

std::string left_out(std::size_t named, std::uint64_t all, std::string_view what) {
    return named < all ? fmt::format("  and {} more {}\n", all - named, what) : "";
}

void print_locks(const RegionLocks& locks) {
    print(fmt::format("{}{}\n", locks.id.str(),
                      locks.inconsistent ? "  inconsistent: a writer died in its lock" : ""));
    Table table({"  ", "PROCESS", "THREAD>", "MODE", "DEPTH>", "SINCE>", "TOKEN OR WAIT"});
    for (const auto& holder : locks.holders)
        table.add({"  has", process_label(holder.process, holder.pid),
                   fmt::format("{}", holder.thread), std::string(to_string(holder.mode)),
                   fmt::format("{}", holder.depth), age(holder.since),
                   holder.token == 0 ? "" : fmt::format("{:016x}", holder.token)});
    for (const auto& waiter : locks.waiters)
        table.add({"  waits", process_label(waiter.process, waiter.pid),
                   fmt::format("{}", waiter.thread), std::string(to_string(waiter.mode)), "",
                   age(waiter.since), waits_for(waiter)});
    print(table.str());
    print(left_out(locks.holders.size(), locks.holder_count, "holders"));
    print(left_out(locks.waiters.size(), locks.waiter_count, "waiters"));
}

Result<int> run_locks(const Context& context, const std::string& filter) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto regions, client->locks(filter));
    if (context.json) {
        QJsonArray out;
        for (const auto& region : regions) out.append(locks_json(region));
        print_json({{"locks", out}});
        return kDone;
    }
    if (regions.empty()) print("no locks\n");
    for (const auto& region : regions) print_locks(region);
    return kDone;
}

Result<std::uint64_t> parse_token(const std::string& word) {
    std::uint64_t token = 0;
    const auto* end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, token, 16);
    if (read.ec == std::errc{} && read.ptr == end && token != 0) return token;
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no token of a lock", word),
                "'snakepit-shm locks' shows them, 16 hexadecimal digits each");
}

Result<int> run_release(const Context& context, const std::string& word,
                        const std::string& token_word) {
    SHM_ASSIGN(const auto id, RegionId::parse(word));
    std::uint64_t token = 0;  // all
    if (!token_word.empty()) {
        SHM_ASSIGN(token, parse_token(token_word));
    }
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto released, client->release_locks(id, token));
    if (context.json) {
        print_json({{"released", locks_json(released)}});
        return kDone;
    }
    for (const auto& holder : released.holders)
        print(fmt::format("taken from {}, who had it as {}\n",
                          process_label(holder.process, holder.pid), to_string(holder.mode)));
    print(left_out(released.holders.size(), released.holder_count, "locks"));
    if (released.inconsistent)
        print(fmt::format("{} is inconsistent until a writer has had its lock\n", id.str()));
    return kDone;
}

}  // namespace

void add_locks(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "locks",
                                "Show locked regions, who has them and who waits for whom");
    auto words = std::make_shared<std::vector<std::string>>();
    command->add_option("filter", *words, "An id, or a filter as of 'list'");
    auto* release = add_command(*command, context, "release",
                                "Take a region's locks from their holders (administrators)");
    auto id = std::make_shared<std::string>();
    auto token = std::make_shared<std::string>();
    release->add_option("id", *id, "The region")->required();
    release->add_option("--token", *token, "This lock alone, as 'locks' shows it");
    // The parser calls the inner command's first, then the outer one's.
    command->callback([&context, words, release, id, token] {
        if (release->parsed()) {
            context.action = [&context, id, token] { return run_release(context, *id, *token); };
            return;
        }
        context.action = [&context, words] {
            std::string filter;
            for (const auto& word : *words) filter += filter.empty() ? word : " " + word;
            return run_locks(context, filter);
        };
    });
}

}  // namespace snakepit::shm::cli
