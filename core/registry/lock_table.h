// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "layout/locks_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The manager's record of granted locks, which a new manager adopts.
//
// Each change is one store, so a kill leaves it done or not done:
//   granted:        the fields, then the serial; without it the record is unused.
//   level changed:  the levels, together with the request that changed them. A client that repeats
//                   a request after a lost answer is recognised by it.
//   delegated:      the base, then the delegation word. The lease page was written before.
//   absorbed:       the levels, owner and token that the lease page had, then the delegation word,
//                   to 0. Until then they are read from the page again.
//   released:       the serial, to 0. A repeated request then gets "not held", which the client
//                   expects in that case.
// Service thread only.
class LockTable {
  public:
    // Opens `path`, or recreates it if it is missing, damaged or of another registry (`epoch`).
    static Result<LockTable> open(const std::string& path, std::uint64_t epoch);

    // A lock without its levels.
    struct Lock {
        std::uint64_t serial = 0;
        std::uint64_t generation = 0;
        std::uint64_t token = 0;
        std::int64_t since = 0;
        std::uint32_t slot = 0;
        std::uint32_t thread = 0;
    };

    // Reserves a record for a lock that will be granted, so that granting cannot fail.
    // reference_limit if there is none left, no_space if the file cannot grow.
    Result<std::uint32_t> reserve();
    // Frees a record that was not needed.
    void free(std::uint32_t index) { unused_.push_back(index); }
    void commit(std::uint32_t index, const Lock& lock, const layout::LockLevels& levels);
    void set_levels(std::uint32_t index, const layout::LockLevels& levels);
    void clear(std::uint32_t index);

    // A lock that its client changes in its lease page (layout/delegated_lock.h).
    struct Delegation {
        std::uint32_t client = 0;  // whose page
        bool writable = false;     // it may lock exclusively
        std::uint64_t base = 0;
    };
    void delegate(std::uint32_t index, const Delegation& delegation);
    // It is an ordinary lock again, with these values. `lock`: serial, generation and slot stay.
    void absorb(std::uint32_t index, const Lock& lock, const layout::LockLevels& levels);
    std::optional<Delegation> delegation(std::uint32_t index) const;
    // The time that is shown for a lock; no part of any commit.
    void set_since(std::uint32_t index, std::int64_t since) { record(index).since = since; }

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
