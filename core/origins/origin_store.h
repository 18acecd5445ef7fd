// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "origins/records.h"

namespace snakepit::shm::origins {

struct StoreLimits {
    std::uint64_t bytes = 64ULL << 20;
    std::int64_t removed_for_micros = 24LL * 3600 * 1'000'000;    // rows of removed segments stay
    std::int64_t boots_for_micros = 7LL * 24 * 3600 * 1'000'000;  // and those of earlier boots
};

// The writer of origins.db. One thread; one writer at a time (origins.lock).
class OriginStore {
  public:
    // Creates the database with mode 0600, or opens it. A damaged one is set aside, and `note`
    // names it. Begins a run of the log.
    static Result<OriginStore> open(const std::string& path, std::string& note);
    OriginStore(OriginStore&&) noexcept;
    OriginStore& operator=(OriginStore&&) noexcept;
    ~OriginStore();

    // All of it or nothing. `until`: everything before it was read.
    Status add(const Batch& batch, Moment until);
    // Removes what is too old, and the oldest rows while there are too many; some at a time. True:
    // there is more to remove.
    Result<bool> retain(const StoreLimits& limits, Moment now);
    // The path leads to another file now.
    bool moved() const;

    std::int64_t run() const;
    // For ids of new rows: greater than those of all rows.
    std::int64_t last_process() const;
    std::int64_t last_segment() const;
    // When the previous run of this boot had read everything; 0: there was none.
    std::int64_t previous_until() const;

  private:
    struct Private;
    explicit OriginStore(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm::origins
