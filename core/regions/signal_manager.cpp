// SPDX-License-Identifier: MIT
#include "regions/signal_manager.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/wait_word.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kWatchesOfOneClient = 65'536;

Status may_wait(const Caller& caller) {
    if (caller.client) return {};
    return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                "connect with one to wait for signals");
}

}  // namespace

Result<SignalGrant> SignalManager::open(const Caller& caller, const RegionId& id) {
    return refusals_.check(caller, "signal", id, [&]() -> Result<SignalGrant> {
        SHM_TRY(may_wait(caller));
        SHM_ASSIGN(const auto slot, directory_.openable(caller, id, AccessMode::read_only));
        SHM_ASSIGN(auto place, state_.signals.place(slot));
        // A new word has no mark yet.
        if (watches_.contains(slot)) look(watches_.find(slot));
        return SignalGrant{slot, registry_.control(slot).generation, std::move(place)};
    }());
}

Result<Handle> SignalManager::open_events(const Caller& caller) {
    SHM_TRY(may_wait(caller));
    return state_.events.open(caller.serial);
}

Result<WatchReply> SignalManager::watch(const Caller& caller, const RegionId& id,
                                        std::uint64_t since, std::uint64_t ticket) {
    return refusals_.check(caller, "wait", id, [&]() -> Result<WatchReply> {
        SHM_TRY(may_wait(caller));
        SHM_ASSIGN(const auto slot, directory_.openable(caller, id, AccessMode::read_only));
        forget(caller.serial, ticket);  // repeated
        auto& mine = by_client_[caller.serial];
        if (mine.size() >= kWatchesOfOneClient)
            return fail(ErrorCode::reference_limit,
                        fmt::format("this program waits for {} signals", mine.size()),
                        "cancel waits that are not needed");
        SHM_ASSIGN(auto* const word, state_.signals.word(slot));
        auto now = word->counter();
        if (now == since) now = SignalWord::counter(word->mark(SignalWord::kWatched));
        if (now != since) return WatchReply{true, now};
        auto& there = watches_[slot];
        if (there.id != id) there = {id, {}};
        there.watches.push_back({caller.serial, ticket, since});
        mine.emplace(ticket, slot);
        ++by_client_count_;
        return WatchReply{false, now};
    }());
}

void SignalManager::forget(std::uint64_t serial, std::uint64_t ticket) {
    const auto client = by_client_.find(serial);
    if (client == by_client_.end()) return;
    const auto entry = client->second.find(ticket);
    if (entry == client->second.end()) return;
    const auto watched = watches_.find(entry->second);
    client->second.erase(entry);
    --by_client_count_;
    if (watched == watches_.end()) return;
    std::erase_if(watched->second.watches, [&](const Watch& watch) {
        return watch.serial == serial && watch.ticket == ticket;
    });
    if (watched->second.watches.empty()) watches_.erase(watched);
}

void SignalManager::cancel(const Caller& caller, std::uint64_t ticket) {
    forget(caller.serial, ticket);
}

void SignalManager::signalled(std::uint32_t slot, std::uint64_t generation) {
    const auto found = watches_.find(slot);
    if (found != watches_.end() && registry_.control(slot).generation == generation) look(found);
}

void SignalManager::end(std::uint32_t slot) {
    if (auto* word = state_.signals.find(slot)) {
        word->unmark_sleepers();
        wake_all(word->low());
    }
    if (const auto found = watches_.find(slot); found != watches_.end()) look(found);
}

void SignalManager::look() {
    for (auto at = watches_.begin(); at != watches_.end();) at = look(at);
}

// For who goes on waiting the mark first and then the counter, as every waiter: a notifier that
// comes later sees the mark.
SignalManager::Watches::iterator SignalManager::look(Watches::iterator at) {
    const auto slot = at->first;
    const auto& id = at->second.id;
    const auto word = registry_.control(slot);
    const bool there = registry_.id(slot) == id && !word.withdrawn &&
                       (word.state == SlotState::live || word.state == SlotState::retiring);
    if (!there) {
        settle(at->second, {}, ErrorCode::region_not_found);
        return watches_.erase(at);
    }
    // A region that has moved has its word in the new place when it is first asked for.
    const auto signal = state_.signals.word(slot);
    if (!signal) return std::next(at);  // no memory: at the next look
    settle(at->second, (*signal)->counter(), {});
    if (at->second.watches.empty()) return watches_.erase(at);
    settle(at->second, SignalWord::counter((*signal)->mark(SignalWord::kWatched)), {});
    return at->second.watches.empty() ? watches_.erase(at) : std::next(at);
}

void SignalManager::settle(Watched& there, std::uint64_t now, ErrorCode code) {
    std::erase_if(there.watches, [&](const Watch& watch) {
        if (code == ErrorCode{} && watch.since == now) return false;
        state_.events.add(watch.serial, {false, watch.ticket, now, code});
        const auto client = by_client_.find(watch.serial);
        if (client != by_client_.end() && client->second.erase(watch.ticket) > 0)
            --by_client_count_;
        return true;
    });
}

void SignalManager::drop(std::uint64_t serial) {
    state_.events.drop(serial);
    const auto client = by_client_.extract(serial);
    if (!client) return;
    for (const auto& [ticket, slot] : client.mapped()) {
        const auto watched = watches_.find(slot);
        if (watched == watches_.end()) continue;
        std::erase_if(watched->second.watches,
                      [&](const Watch& watch) { return watch.serial == serial; });
        if (watched->second.watches.empty()) watches_.erase(watched);
    }
    by_client_count_ -= client.mapped().size();
}

}  // namespace snakepit::shm
