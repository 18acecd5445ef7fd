// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "origins/linux/recorded_processes.h"
#include "origins/records.h"

namespace snakepit::shm::origins {

// The System V segments of all IPC namespaces. The kernel reports no event about them: their tables
// are read again and again. It names who made a segment and who attached or detached it last. One
// thread.
class TableWatch {
  public:
    // Compares with the previous table of this namespace. `last_segment`: counts ids.
    void read(std::uint64_t name_space, const std::string& table, Moment at,
              RecordedProcesses& processes, std::int64_t& last_segment, Batch& out);
    void forget_all() { known_.clear(); }

  private:
    struct Known {
        std::string identity;
        std::int64_t segment = 0, creator = 0, maker = 0;  // maker: an id
        std::int64_t last_user = 0, touched = 0;
        std::uint64_t pass = 0;
    };
    void add(std::uint64_t name_space, const HostSegment& row, bool first, Moment at,
             RecordedProcesses& processes, std::int64_t& last_segment, Batch& out);

    using Key = std::pair<std::uint64_t, std::uint64_t>;  // namespace and id
    std::map<Key, Known> known_;
    std::map<std::uint64_t, std::uint64_t> passes_;  // by namespace
};

}  // namespace snakepit::shm::origins
