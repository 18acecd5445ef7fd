// SPDX-License-Identifier: MIT
// The recorder's side of metrics.db: one connection, opened for writing. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

class MetricsStore {
  public:
    // Creates the file, its tables and a column for each metric if they are missing.
    // corruption_detected: the file is not a database, or is damaged; database_unavailable:
    // anything else that prevents writing.
    static Result<MetricsStore> open(const std::string& path);
    MetricsStore(MetricsStore&&) noexcept;
    MetricsStore& operator=(MetricsStore&&) noexcept;
    ~MetricsStore();

    // The time of the newest sample; 0: none.
    Result<Timestamp> newest() const;
    // Adds samples and updates the rows that they belong to, in one transaction.
    Status add(std::span<const layout::Sample> samples);
    // The time before which rows are old: see RetentionClock.
    Result<Timestamp> retention_time();
    // Removes rows older than their resolution is kept, as of `now`, and then, while there is more
    // than `max_bytes`, the oldest of the finest. Always whole rows of the next resolution, so that
    // what is there of those is complete.
    Status retain(Timestamp now, std::uint64_t max_bytes);
    std::uint64_t bytes() const;  // in use; 0: it cannot be asked

    // The path leads to another file, or to none.
    bool moved() const;

  private:
    struct Private;
    explicit MetricsStore(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
