// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "regions/region_policies.h"

namespace snakepit::shm {

// Makes regions immutable: as soon as nobody holds one it moves into a segment of its own that
// nobody can write to. Service thread only.
class RegionSealing final : RegionPart, public IdleHandler {
  public:
    RegionSealing(ServiceState& state, RegionLifecycle& lifecycle, RegionMover& mover,
                  RegionPolicies& policies, Refusals& refusals)
        : RegionPart(state),
          lifecycle_(lifecycle),
          mover_(mover),
          policies_(policies),
          refusals_(refusals) {}

    // True: it is sealed. False: it will be as soon as nobody holds it; nobody can map it for
    // writing until then.
    void seal(const Caller& caller, const RegionId& id, std::function<void(Result<bool>)> done);
    bool region_idle(std::uint32_t slot) override;

  private:
    RegionLifecycle& lifecycle_;
    RegionMover& mover_;
    RegionPolicies& policies_;
    Refusals& refusals_;
};

}  // namespace snakepit::shm
