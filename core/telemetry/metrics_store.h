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
    // Makes the file and its tables where there are none, and a column for each metric that has
    // none. corruption_detected: it is no database, or a damaged one; database_unavailable:
    // anything else that prevents writing.
    static Result<MetricsStore> open(const std::string& path);
    MetricsStore(MetricsStore&&) noexcept;
    MetricsStore& operator=(MetricsStore&&) noexcept;
    ~MetricsStore();

    // The time of the newest sample there is; 0: none.
    Result<Timestamp> newest() const;
    // Adds samples and brings the rows that they belong to up to date: all of it or nothing.
    Status add(std::span<const layout::Sample> samples);
    // As of when rows are old: see RetentionClock.
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
