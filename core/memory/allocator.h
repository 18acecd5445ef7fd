// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/region.h"
#include "base/result.h"
#include "layout/registry_reader.h"
#include "platform/backend.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// Zero where the configuration sets no limit.
struct AllocationLimits {
    std::uint32_t max_regions = 0;
    std::uint64_t max_region_size = 0;
    std::uint64_t max_total_memory = 0;
    std::uint32_t max_regions_per_process = 0;
    std::uint32_t max_regions_per_user = 0;
    std::uint64_t max_memory_per_user = 0;
};

// On whose behalf a region is made.
struct RegionOwner {
    std::uint64_t serial = 0;  // client; 0: the region belongs to its user
    Credentials credentials;
    std::int64_t start_time = 0;
    std::string process, worker, session;
};

// The specification's Allocator: finds memory for regions and gives it back. Each region has an
// operating-system object of its own.
// The order that survives a kill (a RESERVED slot is undone at start, a LIVE one stands):
//   begin: RESERVED, described  ->  make: the object, exclusive, with its pages  ->  place: the
//   body
//   ->  (the caller grants)  ->  commit.
// Service thread only, except make().
class Allocator {
  public:
    Allocator(RegionRegistry& registry, PlatformBackend& backend)
        : registry_(registry), backend_(backend) {}

    AllocationLimits limits;

    // invalid_size, or the limit that `size` more bytes for this owner would break.
    Status check(std::uint64_t size, const RegionOwner& owner) const;

    Result<std::uint32_t> begin(std::uint64_t size, const RegionOptions& options,
                                const RegionOwner& owner, std::uint64_t request_id);
    // Any thread: may take long, for every page is reserved.
    Result<Segment> make(const std::string& name, std::uint64_t size) {
        return backend_.create_segment(name, size);
    }
    // `options.timeout_ms` is a real timeout by now, not kDefaultTimeout.
    void place(std::uint32_t slot, const Segment& segment, const RegionOptions& options);
    void commit(std::uint32_t slot);
    // Undoes begin(): object and slot.
    void abandon(std::uint32_t slot);

    // Frees the memory of a FREEING slot and then the slot. When that fails the slot stays FREEING
    // and the error says what a person must do; asking again is safe.
    Status release(std::uint32_t slot, const Event& event);

    Result<Segment> open(std::uint32_t slot, AccessMode access);
    std::string segment_name_of(std::uint32_t slot) const {
        return segment_name(registry_.instance(), registry_.id(slot));
    }

    // At start: counts what the registry holds.
    void recount();
    std::uint64_t bytes_used() const { return bytes_used_; }
    std::uint64_t bytes_reserved() const { return bytes_reserved_; }

  private:
    void count(const layout::SlotFixed& fixed);
    void forget(std::uint32_t slot);
    Status check_user(std::uint64_t size, std::uint32_t uid) const;

    struct Usage {
        std::uint32_t regions = 0;
        std::uint64_t bytes = 0;
    };

    RegionRegistry& registry_;
    PlatformBackend& backend_;
    std::uint64_t bytes_used_ = 0;
    std::uint64_t bytes_reserved_ = 0;
    std::unordered_map<std::uint64_t, std::uint32_t> regions_of_;  // by owner serial
    std::unordered_map<std::uint32_t, Usage> usage_of_;            // by owner's uid
};

}  // namespace snakepit::shm
