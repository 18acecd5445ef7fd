// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "layout/locks_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The manager's own record of locks that were granted; what a new manager finds and believes.
//
// Each change is one store, so a kill leaves it done or not done:
//   granted:            the fields, then the serial; without it the record is an unused one.
//   deeper, less deep:  the levels, together with the request that made them so; whoever asks again
//                       because the answer was lost is recognised by that request.
//   given back:         the serial, to 0. Asked again, it is "not held", which the client that asks
//                       a second time knows how to read.
// Service thread only.
class LockTable {
  public:
    // Opens `path`, or begins it anew when it is missing, damaged or of another registry (`epoch`).
    static Result<LockTable> open(const std::string& path, std::uint64_t epoch);

    // What a lock is, but for its levels.
    struct Lock {
        std::uint64_t serial = 0;
        std::uint64_t generation = 0;
        std::uint64_t token = 0;
        std::int64_t since = 0;
        std::uint32_t slot = 0;
        std::uint32_t thread = 0;
    };

    // A record for a lock that will be granted: nothing of it can fail any more then.
    // reference_limit when there is none, no_space when the file cannot grow.
    Result<std::uint32_t> reserve();
    // It was not needed.
    void free(std::uint32_t index) { unused_.push_back(index); }
    void commit(std::uint32_t index, const Lock& lock, const layout::LockLevels& levels);
    void set_levels(std::uint32_t index, const layout::LockLevels& levels);
    void clear(std::uint32_t index);

    Lock lock(std::uint32_t index) const;
    layout::LockLevels levels(std::uint32_t index) const {
        return layout::LockLevels::decode(record(index).levels.load(std::memory_order_relaxed));
    }
    // Records of locks that are held, in no order.
    std::vector<std::uint32_t> used() const;

  private:
    layout::LockRecord& record(std::uint32_t index) const {
        return reinterpret_cast<layout::LockRecord*>(file_.data() +
                                                     layout::LocksOffsets::records)[index];
    }
    std::atomic<std::uint32_t>& frontier() const {
        return reinterpret_cast<layout::LocksState*>(file_.data() + layout::LocksOffsets::state)
            ->frontier;
    }
    // Records below it can be read: a file that was cut may have fewer than its frontier says.
    std::uint32_t end() const;

    MappedFile file_;
    std::deque<std::uint32_t> unused_;  // below the frontier
};

}  // namespace snakepit::shm
