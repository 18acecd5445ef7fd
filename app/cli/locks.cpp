// SPDX-License-Identifier: MIT
// locks: the holders of locked regions and who waits for them; and releasing a lock by force.
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <QJsonArray>

#include "base/filter.h"
#include "base/lock_owner.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct ReleaseOptions {
    std::string id, token;
};

std::string waits_for(const LockWaiter& waiter) {
    return waiter.waits_for.empty()
               ? ""
               : fmt::format("waits for {}", fmt::join(waiter.waits_for, ", "));
}

std::string left_out(std::size_t named, std::uint64_t all, std::string_view what) {
    return named < all ? fmt::format("  and {} more {}\n", all - named, what) : "";
}

std::string or_dash(const std::string& value) {
    return value.empty() ? "-" : value;
}

void print_locks(const RegionLocks& locks) {
    if (locks.inconsistent)
        print(std::vector<Toned>{
            locks.id.str(), {"  inconsistent: a writer died while it held the lock", Tone::bad}});
    else
        print(std::vector<Toned>{locks.id.str()});
    Table table({"  ", "PROCESS", "WORKER", "OWNER", "MODE", "DEPTH>", "SINCE>", "TOKEN OR WAIT"});
    for (const auto& holder : locks.holders)
        table.add({"  has", process_label(holder.process, holder.pid), or_dash(holder.worker),
                   owner_name(holder.thread), to_string(holder.mode),
                   fmt::format("{}", holder.depth), age(holder.since),
                   holder.token == 0 ? "" : fmt::format("{:016x}", holder.token)});
    for (const auto& waiter : locks.waiters)
        table.add({{"  waits", Tone::warning},
                   process_label(waiter.process, waiter.pid),
                   or_dash(waiter.worker),
                   owner_name(waiter.thread),
                   to_string(waiter.mode),
                   "",
                   age(waiter.since),
                   waits_for(waiter)});
    print(table);
    print(left_out(locks.holders.size(), locks.holder_count, "holders"));
    print(left_out(locks.waiters.size(), locks.waiter_count, "waiters"));
}

// Of the region that the word names as in every command, else of those that the filter selects. A
// word that does neither is an error, not a region without locks.
Result<std::vector<RegionLocks>> locks_of(const Context& context,
                                          const std::vector<std::string>& words) {
    const auto filter = joined(words);
    SHM_TRY(RegionFilter::parse(filter));  // a usage error is found here
    SHM_ASSIGN(auto client, connect(context));
    if (words.size() != 1 || filter.find_first_of(":=<> \"") != filter.npos)
        return client->locks(filter);
    const auto named = connect_to(context, words);
    if (named) {
        SHM_TRY(client->info(named->ids.front()));
        return client->locks("id=" + named->ids.front().str());
    }
    SHM_ASSIGN(const auto matching, client->list(filter));
    if (matching.empty()) return fail(named.error());
    return client->locks(filter);
}

Result<int> run_locks(const Context& context, const std::vector<std::string>& filter) {
    SHM_ASSIGN(const auto regions, locks_of(context, filter));
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
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a lock's token", word),
                "'snakepit-shm locks' shows them, 16 hexadecimal digits each");
}

Result<int> run_release(const Context& context, const ReleaseOptions& options) {
    std::uint64_t token = 0;  // all
    if (!options.token.empty()) {
        SHM_ASSIGN(token, parse_token(options.token));
    }
    SHM_ASSIGN(const auto target, connect_to(context, {options.id}));
    SHM_ASSIGN(const auto released, target.client->release_locks(target.ids.front(), token));
    if (context.json) {
        print_json({{"released", locks_json(released)}});
        return kDone;
    }
    for (const auto& holder : released.holders)
        print(fmt::format("released the {} lock of {}\n", to_string(holder.mode),
                          process_label(holder.process, holder.pid)));
    print(left_out(released.holders.size(), released.holder_count, "locks"));
    if (released.inconsistent)
        print(fmt::format("{} is inconsistent until a writer has locked and released it\n",
                          released.id.str()));
    return kDone;
}

}  // namespace

void add_locks(Command& app) {
    auto& command = app.add("locks", "Show locked regions, their holders and waiters");
    auto& filter = command.options<std::vector<std::string>>();
    command.argument("FILTER", filter, "Only these regions: an id, or a filter as for 'list'")
        .completed_with(Completion::regions);
    command.run(run_locks, filter);
    auto& release = command.add("release", "Release a region's locks by force (operators)");
    auto& options = release.options<ReleaseOptions>();
    release.argument("ID", options.id, "The region").required().completed_with(Completion::regions);
    release.option("--token", "TOKEN", options.token, "Only this lock, as 'locks' shows it");
    release.run(run_release, options);
}

}  // namespace snakepit::shm::cli
