// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "regions/region_lifecycle.h"

namespace snakepit::shm {

// Moves idle regions to another place. As with an end, the slot is RETIRING meanwhile and every
// idle grant is withdrawn. Until the commit the old place counts, and a manager that is killed
// before it finds the region there. Service thread only.
class RegionMover final : RegionPart, public IdleHandler {
  public:
    RegionMover(ServiceState& state, RegionLifecycle& lifecycle, IntegrityCheck& integrity)
        : RegionPart(state), lifecycle_(lifecycle), integrity_(integrity) {}

    bool movable(std::uint32_t slot) const;
    // False: a client holds it; it stays where it is.
    bool move(std::uint32_t slot, PendingAllocation to, std::string reason);
    // To a better place, if there is one; out of a damaged arena in any case.
    bool improve(std::uint32_t slot);
    // Out of an arena that was tampered with.
    bool region_idle(std::uint32_t slot) override;

    // A region that is being moved cannot be mapped, changed or deallocated for a moment.
    bool moving(const RegionId& id) const;
    void when_settled(const RegionId& id, std::function<void()> then);  // moving(id)

  private:
    struct Move {
        std::uint32_t slot;
        layout::Control before;
        PendingAllocation from, to;
        std::string reason;
        Status made, copied;
        std::shared_ptr<const DurableRecord> description;  // of a durable one, once it is saved
        Status saved;
    };
    void finish(const std::shared_ptr<Move>& move);
    // On the disk before the commit; then finish() again.
    void save_description(const std::shared_ptr<Move>& move);
    void settle(std::uint32_t slot, bool moved);

    RegionLifecycle& lifecycle_;
    IntegrityCheck& integrity_;
    // By slot that is being moved: who waits for it.
    std::unordered_map<std::uint32_t, std::vector<std::function<void()>>> moving_;
};

}  // namespace snakepit::shm
