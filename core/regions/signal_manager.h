// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "regions/region_directory.h"

namespace snakepit::shm {

// Where a client finds a region's signal word, and that it is the word of this region.
struct SignalGrant {
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    SignalStore::Place place;
};

struct WatchReply {
    bool decided = false;
    std::uint64_t now = 0;  // the counter
};

// Waits for signals: hands out the words, and waits itself for clients that wait with a descriptor.
// Those waits are in memory only; clients repeat them after a restart. A notifier that clears the
// word's mark tells us, or dies before it does: so every watched word is looked at in each tick,
// too. Service thread only.
class SignalManager : RegionPart {
  public:
    SignalManager(ServiceState& state, RegionDirectory& directory, Refusals& refusals)
        : RegionPart(state), directory_(directory), refusals_(refusals) {}

    // For whoever may map the region.
    Result<SignalGrant> open(const Caller& caller, const RegionId& id);
    Result<Handle> open_events(const Caller& caller);
    // Decided at once if the counter is not `since`; else noted for the client when it is not, or
    // when the region ends.
    Result<WatchReply> watch(const Caller& caller, const RegionId& id, std::uint64_t since,
                             std::uint64_t ticket);
    void cancel(const Caller& caller, std::uint64_t ticket);
    EventLines::Taken take(const Caller& caller) { return state_.events.take(caller.serial); }

    // A client counted on. Not trusted: the word is read.
    void signalled(std::uint32_t slot, std::uint64_t generation);
    // The region was withdrawn: whoever waits for it looks now.
    void end(std::uint32_t slot);
    // Every watched word.
    void look();
    void drop(std::uint64_t serial);
    std::size_t watches() const { return by_client_count_; }

  private:
    struct Watch {
        std::uint64_t serial = 0, ticket = 0, since = 0;
    };
    struct Watched {
        RegionId id;
        std::vector<Watch> watches;
    };
    using Watches = std::map<std::uint32_t, Watched>;  // by slot
    // Notes what is decided there; returns the next slot's.
    Watches::iterator look(Watches::iterator at);
    void settle(Watched& there, std::uint64_t now, ErrorCode code);
    void forget(std::uint64_t serial, std::uint64_t ticket);

    RegionDirectory& directory_;
    Refusals& refusals_;
    Watches watches_;
    // By client's serial: the slot of each ticket.
    std::unordered_map<std::uint64_t, std::unordered_map<std::uint64_t, std::uint32_t>> by_client_;
    std::size_t by_client_count_ = 0;
};

}  // namespace snakepit::shm
