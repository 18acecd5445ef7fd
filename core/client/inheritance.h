// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "client/connection.h"
#include "client/fork_guard.h"
#include "client/mapper.h"

namespace snakepit::shm {

// What a forked child inherits: the mapped regions, at the same addresses, with references of its
// own.
//
// The parent acquires one more reference to each mapped region before it forks, and releases it
// when the child has its own. So the parent's other threads may unmap meanwhile, and a region is
// never free while a child is between its birth and its first reference. The child gets a session
// of its own with the manager, requests each region and acquires as many references as the parent
// had. A region that it cannot get becomes inaccessible before the child's code runs: it could be
// another's by now.
//
// Not inherited: encrypted regions, whose private copies are secret, and regions that are being
// deallocated.
class Inheritance final : public ForkAware {
  public:
    Inheritance(Connection& connection, Mapper& mapper) : connection_(connection), mapper_(mapper) {
        ForkGuard::instance().enter(this);
    }
    ~Inheritance() override { leave(); }
    // Before anything that it uses is destroyed.
    void leave();

    // In a forked child: releases one inherited reference; `forked` if it inherited nothing.
    Status unmap(const MappedRegion& mapping);
    // In a forked child: releases all that it inherited. Its mappings become invalid.
    void end();

    Heritage before_fork(std::uint64_t fork) override;
    void after_fork_in_parent() override;
    void inherited(std::uint64_t fork) override;
    void after_fork_in_child() override { connection_.after_fork_in_child(); }
    void inherit() override;

  private:
    using Regions = std::vector<Mapper::Inherited>;
    Status claim(const Mapper::Inherited& region);

    Connection& connection_;
    Mapper& mapper_;
    Connection::Lock held_;  // during a fork
    std::uint64_t fork_ = 0;
    Regions passed_;                                           // in that fork
    std::vector<std::pair<std::uint64_t, Regions>> held_for_;  // by fork: children not ready yet
    std::mutex mutex_;  // guards the following; in a child only
    Regions own_;       // what this process inherited
};

}  // namespace snakepit::shm
