// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "regions/arena_maintenance.h"
#include "regions/region_directory.h"
#include "regions/region_stash.h"

namespace snakepit::shm {

// What a client asks for with an allocation, besides the region.
struct AllocationWishes {
    // The client reserves the memory of a segment of its own itself, so that its own control group
    // is charged for it; the answer may say that it has to (Grant::reserve).
    bool can_reserve = false;
    // A region with this name, size and options is mapped with this access instead.
    std::optional<AccessMode> open;
    std::uint32_t stash = 0;  // up to so many slots for the next regions like this one
};

// New regions, from the request to the answer. Service thread only.
class RegionAllocation : RegionPart {
  public:
    using Done = std::function<void(Result<Grant>)>;

    RegionAllocation(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle,
                     EncryptionRecords& encryption, RegionPolicies& policies,
                     RegionDirectory& directory, ArenaMaintenance& maintenance, Refusals& refusals,
                     RegionStash& stash)
        : RegionPart(state),
          clients_(clients),
          lifecycle_(lifecycle),
          encryption_(encryption),
          policies_(policies),
          directory_(directory),
          maintenance_(maintenance),
          refusals_(refusals),
          stash_(stash) {}

    void allocate(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                  RegionOptions options, Done done, const AllocationWishes& wishes);
    // The client did. region_not_found when the manager does not know the request any more.
    void reserved(const Caller& caller, std::uint64_t request_id, Done done);
    // Nobody wants what this request made or is making.
    void cancel(const Caller& caller, std::uint64_t request_id);
    // The same for all requests of a client whose connection ended: what it reserves itself goes at
    // once, what is being made in the background when that is done, unless it asks again until
    // then.
    void cancel_all_of(std::uint64_t serial);
    // The connection ended before its client could show that it had the answer: the region goes
    // unless a client used it.
    void drop_unclaimed(std::uint32_t slot, std::uint64_t generation);
    // Some times a second: what clients did not reserve in time.
    void expire();
    // A manager ended while it took the memory for a RESERVED slot. The kernel may have ended it
    // for that memory, so the request is not tried again. The slot stays as it is until the client
    // has asked, so that a manager that is killed before that leaves it to the next.
    void refuse_repetition(std::uint32_t slot);

  private:
    struct Allocation {  // from the request to the answer
        Caller caller;
        PendingAllocation making;
        RegionOptions options;
        Done done;
        Stopwatch watch;
        std::uint32_t stash = 0;               // AllocationWishes
        bool can_reserve = false;              // the same
        std::optional<Policy> policy;          // if it is more than permissions
        std::optional<StoredPolicy> row = {};  // of it
        Status made = {};
        Status written = {};
        bool tried_again = false;
        std::int64_t lapses = 0;  // the client reserves its pages until then (boot_micros)
        bool cancelled = false;   // the program does not wait any more
    };
    // A request that waits until it is known whether a region with its name comes to be.
    struct NameWaiter {
        std::uint64_t serial, request_id;
        std::function<void()> again;
    };
    std::optional<std::uint32_t> find_request(const Caller& caller, std::uint64_t request_id) const;
    // Who has the name; nothing: it is free.
    std::optional<std::uint32_t> name_holder(const Caller& caller, const std::string& name) const;
    Result<Grant> open_existing(const Caller& caller, std::uint32_t slot, std::uint64_t size,
                                const RegionOptions& options, AccessMode access);
    void forget_waiters(std::uint64_t serial, std::optional<std::uint64_t> request_id);
    bool answer_again(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                      std::function<void()> ask_again, const Done& done);
    void make(const std::shared_ptr<Allocation>& allocation);
    void let_client_reserve(const std::shared_ptr<Allocation>& allocation);
    void give_up(const std::shared_ptr<Allocation>& allocation, Error error);
    // After make(): the body, then what must be on the disk before the region is LIVE, then LIVE.
    void finish(const std::shared_ptr<Allocation>& allocation);
    Status place(Allocation& allocation);
    void write_down(const std::shared_ptr<Allocation>& allocation);
    void complete(const std::shared_ptr<Allocation>& allocation);
    // No error while the program that asked waits for the region.
    Status wanted(const Allocation& allocation) const;
    RegionOwner owner_of(const Caller& caller) const;
    void add_stash(const Allocation& allocation, Grant& grant);
    Error refuse(const Caller& caller, std::uint64_t size, Error error);

    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    EncryptionRecords& encryption_;
    RegionPolicies& policies_;
    RegionDirectory& directory_;
    ArenaMaintenance& maintenance_;
    Refusals& refusals_;
    RegionStash& stash_;
    // By slot: being made in the background, or by the client.
    std::unordered_map<std::uint32_t, std::shared_ptr<Allocation>> pending_;
    // By slot in pending_: the same request, asked again over a new connection.
    std::unordered_map<std::uint32_t, std::function<void()>> asked_again_;
    // By slot in pending_: requests for the same name.
    std::unordered_multimap<std::uint32_t, NameWaiter> name_waiters_;
    // By slot: see refuse_repetition(). Until when that is remembered.
    std::unordered_map<std::uint32_t, std::int64_t> not_repeated_;
};

}  // namespace snakepit::shm
