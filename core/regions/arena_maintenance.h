// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>

#include "regions/region_mover.h"

namespace snakepit::shm {

// What one step of a defragmentation did.
struct DefragmentStep {
    std::uint64_t moved = 0, bytes = 0;
    std::uint64_t in_use = 0;  // regions that are held and stay where they are
    std::uint64_t arenas_returned = 0;
    bool more = false;  // the pass is not over
};

// Keeps arenas dense, clean and few: moves regions together, zeroes and reserves pages in the
// background, returns what is empty. Service thread only.
class ArenaMaintenance final : RegionPart, public IdleHandler {
  public:
    ArenaMaintenance(ServiceState& state, const ClientRegistry& clients, IntegrityCheck& integrity,
                     RegionMover& mover)
        : RegionPart(state),
          pool_(state.allocator.pool),
          clients_(clients),
          integrity_(integrity),
          mover_(mover) {}

    // One step of moving idle regions together, of all tenants; the first of a pass makes the plan.
    DefragmentStep defragment();
    // What is due by itself; some times a second.
    void run_slice(std::int64_t at);
    // The next piece of background work on pages, one at a time.
    void clean_pages();
    void region_freed(const RegionId& id, bool pooled) override;
    // For an orderly stop: nothing new is begun.
    void stop() { stopping_ = true; }

  private:
    DefragmentStep run_step();
    void plan();
    bool worthwhile() const;

    ArenaPool& pool_;
    const ClientRegistry& clients_;
    IntegrityCheck& integrity_;
    RegionMover& mover_;
    std::deque<std::uint32_t> plan_;  // slots a defragmentation has still to check
    std::int64_t step_asked_at_ = 0;  // boot time of the last step that a person asked for
    std::int64_t next_defragmentation_ = 0;
    bool busy_ = false, stopping_ = false;
};

}  // namespace snakepit::shm
