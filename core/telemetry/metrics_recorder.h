// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

struct MetricsState {
    bool writable = false;
    std::uint64_t recorded = 0;  // samples written by this recorder
    std::uint64_t lost = 0;      // overwritten in the ring before they could be
    std::uint64_t bytes = 0;     // of the database
    std::string problem;         // why it is not writable; empty otherwise
};

// Keeps samples for longer than the ring does: every ten seconds a thread of its own reads what is
// new in the ring and writes it to metrics.db. The ring holds fifteen minutes: the service thread
// never waits, and samples of a killed manager are written by the next. A database that cannot be
// written, or is locked, unlinked or corrupt, stops only this; it is retried, and a corrupt one is
// set aside under another name.
class MetricsRecorder {
  public:
    // The samples of the ring with a number above `after`, oldest first. Called on the thread.
    using Source = std::function<std::vector<layout::Sample>(std::uint64_t after)>;

    static constexpr std::uint64_t kDefaultBytes = 256ULL << 20;

    // Starts the thread. A database error is reported by state().
    MetricsRecorder(std::string path, Source source);
    ~MetricsRecorder();  // writes what there is, if that can be done at once

    // Any thread. What the database may take; 0: nothing is kept from now on.
    void set_max_bytes(std::uint64_t bytes);
    MetricsState state() const;
    // Waits until everything that was in the ring is written, or `timeout_ms` passed.
    bool flush(int timeout_ms);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
