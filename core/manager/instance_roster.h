// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <unordered_set>

#include "base/ids.h"
#include "base/paths.h"
#include "base/result.h"

namespace snakepit::shm {

// Two managers may share an instance's name and the shared-memory directory while their runtime
// directories differ. Each writes down where its registry is, beside the segments, so that neither
// takes the other's regions for leftovers.
class InstanceRoster {
  public:
    // Writes our entry: shm_path/.snakepit_<instance>@<hash of the runtime directory>.
    static Status enter(const std::string& shm_path, const InstancePaths& paths);
    // Reads the registries that all other entries name. Entries of ours whose registry is gone are
    // removed.
    static InstanceRoster read(const std::string& shm_path, const InstancePaths& paths);

    bool claims(const RegionId& id) const { return unreadable_ || known_.contains(id); }
    bool claims_arena(std::uint64_t arena) const {
        return unreadable_ || epochs_.contains(static_cast<std::uint32_t>(arena >> 32));
    }

  private:
    std::unordered_set<RegionId> known_;
    std::unordered_set<std::uint32_t> epochs_;  // the part that stands in the names of arenas
    bool unreadable_ = false;  // a registry that exists and cannot be read may claim anything
};

}  // namespace snakepit::shm
