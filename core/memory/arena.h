// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/region.h"
#include "memory/page_set.h"
#include "platform/backend.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// One segment shared by regions of one tenant, and its free runs, which are always coalesced. Two
// sets of pages say what must be done before a run can be allocated: pages that are not `reserved`
// have no memory yet, `dirty` pages hold data of an earlier region. Bookkeeping on the service
// thread only; handle() and mapping() are constant and may be used on other threads for ranges that
// are not free.
class Arena {
  public:
    Arena(std::uint64_t id, std::uint32_t tenant, std::string name, Segment segment,
          Mapping mapping);

    std::uint64_t id() const { return id_; }
    std::uint32_t tenant() const { return tenant_; }  // user id
    const std::string& name() const { return name_; }
    std::uint64_t size() const { return segment_.size; }
    const FileIdentity& identity() const { return segment_.identity; }
    bool anonymous() const { return name_.starts_with(kAnonymousPrefix); }
    const Handle& handle() const { return segment_.handle; }
    const Mapping& mapping() const { return mapping_; }

    // ---- free runs
    // An offset with `bytes` free, or none. best_fit: the smallest run, worst_fit: the largest,
    // first_fit: the lowest. Among small runs, one that need not be zeroed is preferred.
    std::optional<std::uint64_t> find(std::uint64_t bytes, AllocationStrategy strategy) const;
    // The lowest run that ends at or before `limit`.
    std::optional<std::uint64_t> find_below(std::uint64_t bytes, std::uint64_t limit) const;
    // True when the whole range is free.
    bool is_free(Range range) const;
    void mark_used(Range range);  // is_free(range)
    void mark_free(Range range);  // out of the free runs
    bool empty() const { return used_ == 0; }
    std::uint64_t used() const { return used_; }
    std::uint64_t largest_free() const { return by_size_.empty() ? 0 : by_size_.rbegin()->first; }
    // The end of the last used range; everything after it is free.
    std::uint64_t high_water() const;
    // The free run that begins at or holds `offset`; empty when none does.
    Range run_at(std::uint64_t offset) const;
    const std::map<std::uint64_t, std::uint64_t>& runs() const { return runs_; }

    // ---- pages
    PageSet reserved, dirty;
    // Used pages that a client took, whose control group is charged for them
    // (arena_pool_hollow.cpp); and free ones of these, which are given back to the system.
    PageSet of_clients, returning;

    // Damage by another process to its file. A damaged arena gets no new regions; see
    // ArenaPool::check().
    struct Fault {
        std::string what;
        std::uint64_t intact = 0;  // bytes from the start that are unchanged
    };
    std::optional<Fault> fault;

    bool wants_ahead = false;      // an allocation had to wait for pages: reserve more
    std::int64_t empty_since = 0;  // by the instance's clock; 0: not empty

  private:
    using Runs = std::map<std::uint64_t, std::uint64_t>;  // offset -> size
    void erase_run(Runs::iterator run);
    void insert_run(std::uint64_t offset, std::uint64_t size);

    std::uint64_t id_;
    std::uint32_t tenant_;
    std::string name_;
    Segment segment_;
    Mapping mapping_;
    Runs runs_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_;  // size, offset
    std::uint64_t used_ = 0;
};

}  // namespace snakepit::shm
