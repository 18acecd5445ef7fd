// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/region.h"
#include "client/region_cache.h"
#include "layout/lease_page.h"

namespace snakepit::shm {

// The slots that the manager granted ahead: this client turns them into regions and back by one
// swap of a word in its lease page (LeasePage::claim and recycle). Only for regions with default
// options, of sizes that the client allocates often. Any thread, without the client's mutex.
class Stash {
  public:
    explicit Stash(const layout::LeasePage& lease) : lease_(lease) {}

    // A new region of `size` bytes, all zero, with one reference. Nothing: the manager must be
    // asked, for `wanted(size)` slots besides.
    std::optional<RegionId> claim(std::uint64_t size);
    std::uint32_t wanted(std::uint64_t size);
    // Ends the region if it is in this stash, has one reference and was granted to no other client.
    // False: nothing changed.
    bool recycle(CachedRegion& entry, const RegionId& id);
    // Takes the memory of slots of one size that were granted without any: it is charged to this
    // process's control group. False: it is short of memory, and the slots stay with the manager.
    // With the client's mutex.
    bool take_memory(const std::vector<CachedRegion*>& slots);
    // A slot that was granted, and has its memory.
    void add(CachedRegion& entry);

  private:
    // Of one size. The manager may take back any of the slots at any time.
    struct Kind {
        std::uint64_t size = 0;
        std::uint32_t asked = 0;          // requests to the manager
        std::uint32_t wanted = 0;         // slots that the last of them wished for
        std::vector<CachedRegion*> idle;  // the last used last
    };
    Kind* find(std::uint64_t size);

    static constexpr std::size_t kKinds = 32;
    const layout::LeasePage& lease_;
    std::mutex mutex_;
    std::array<Kind, kKinds> kinds_;
    std::size_t next_ = 0;  // replaced when there is no other place
    // Bytes that may be taken until then without looking at the group's limits, which takes as long
    // as taking a hundred pages; monotonic nanoseconds. With the client's mutex.
    std::uint64_t left_ = 0;
    std::int64_t left_until_ = 0;
};

}  // namespace snakepit::shm
