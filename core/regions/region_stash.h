// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "regions/client_registry.h"
#include "regions/region_lifecycle.h"

namespace snakepit::shm {

// A slot that was granted to a client ahead: it turns the slot into a region, and back, without
// asking (LeasePage::claim and recycle). A client may be told of it once `generation` is in its
// lease page.
struct StashedSlot {
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    RegionId id;
    std::uint64_t offset = 0;  // in the arena
};

// The stashes of all clients. A region in a stash exists from the client's swap of its own lease
// word on. The manager publishes it, as an ordinary region, when it sees that or when somebody asks
// for its id; what was freed before that is recorded as a sum. tests/model/stash.pml is the checked
// model of these steps. Service thread only.
class RegionStash : RegionPart {
  public:
    RegionStash(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle);

    // Up to `wanted` more slots for regions like this one, which was just allocated for the client,
    // in the same arena. Fewer, or none, where memory is short. If owner.reserves the client takes
    // their pages before it uses them (hollow()).
    std::vector<StashedSlot> offer(std::uint32_t client, std::uint32_t like, std::uint32_t wanted,
                                   const RegionOptions& options, const RegionOwner& owner);
    // Whether the slots that are offered have no memory yet.
    bool hollow(const RegionOwner& owner) const {
        return owner.reserves && !allocator_.pool.huge_pages;
    }
    // Publishes or counts what the client did there.
    void look(std::uint32_t slot);
    void look_at_all();
    // Withdraws the slot if it is idle; a region there is published.
    void withdraw(std::uint32_t slot);
    // Withdraws every idle slot. True: there was one. For when memory or a limit is short, or what
    // new regions are like has changed.
    bool recall();
    // The same for what was not used for a while, and for what lies in a damaged arena.
    void expire(std::int64_t at);
    struct Figures {
        std::size_t slots = 0;
        std::uint64_t bytes = 0;
    };
    // Of all clients; regions that are not published yet are among them.
    Figures figures() const;
    // The client ended, and its page is still there: none of its slots is STASHED afterwards.
    void settle(std::uint32_t client);

    // ---- start
    // Before any client is dropped or adopted: what an earlier manager had granted.
    void recover();
    // The memory of all slots has been adopted.
    void adopted();

  private:
    struct Held {
        std::uint32_t client = 0;
        std::uint64_t serial = 0;  // of the client
        std::uint64_t bytes = 0;
        std::int64_t used = 0;    // when it was last seen to change; the instance's clock
        std::int64_t summed = 0;  // until when it was counted; the same
        std::uint64_t word = 0;   // as it was seen then
    };
    enum class Wish : std::uint8_t { keep, withdraw };
    void look(std::uint32_t slot, Wish wish);
    void sum_up(std::uint32_t slot, Held& held, std::uint64_t generation);
    bool publish(std::uint32_t slot, const Held& held, std::uint64_t word);
    void end(std::uint32_t slot);
    std::uint64_t room(const RegionOwner& owner, std::uint64_t size) const;
    bool add(std::uint32_t client, std::uint32_t like, const RegionOptions& options,
             const RegionOwner& owner, StashedSlot& out);
    Status make(PendingAllocation& begun, bool by_client);
    void keep(std::uint32_t slot, const Held& held);
    void forget(std::uint32_t slot);
    template <typename Which>
    std::vector<std::uint32_t> slots(Which which) const;

    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    std::unordered_map<std::uint32_t, Held> held_;               // by slot
    std::unordered_map<std::uint64_t, std::uint64_t> bytes_of_;  // by client's serial
    std::vector<std::uint32_t> published_early_;                 // before the memory was adopted
    bool adopted_ = false;
};

}  // namespace snakepit::shm
