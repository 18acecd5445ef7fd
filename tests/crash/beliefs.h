// SPDX-License-Identifier: MIT
#pragma once

#include <QString>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/region.h"

namespace snakepit::shm::test {

using Counts = std::map<std::string, std::uint64_t>;  // by region

struct BelievedLock {
    std::string id;
    unsigned read = 0, write = 0;  // levels
    AccessMode mode() const { return write > 0 ? AccessMode::read_write : AccessMode::read_only; }
};

// What one process that waits says it has (holder.h).
struct Beliefs {
    Counts references;
    std::map<std::uint64_t, BelievedLock> locks;              // by token
    std::vector<std::pair<std::string, std::uint64_t>> lost;  // region, token
    std::set<std::string> whole, zeroed;

    void take(const QString& line);
};
using Everybody = std::map<qint64, Beliefs>;  // by process

// Whoever differs from what the manager lists of references; empty when nobody does. The manager
// counts a lock as a reference. `myself` is not asked about.
QString compare_references(const Everybody& all, const std::vector<RegionInfo>& regions,
                           const std::vector<RegionLocks>& locked, qint64 myself);
// The same for locks: none but those that administrators took may be missing, nobody waits, and no
// two exclude each other.
QString compare_locks(const Everybody& all, const std::vector<RegionLocks>& locked,
                      const std::set<std::uint64_t>& taken_locks,
                      const std::set<std::string>& taken_regions);

}  // namespace snakepit::shm::test
