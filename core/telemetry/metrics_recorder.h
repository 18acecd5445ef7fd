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
// new in the ring and writes it to metrics.db. The ring is the hand-over: it holds fifteen minutes,
// nobody waits for anybody, and what a manager that was killed left there is written by the next.
// A database that cannot be written, or is locked, unlinked or corrupt, stops nothing but this; it
// is tried again, and a corrupt one is set aside under another name.
class MetricsRecorder {
  public:
    // The samples of the ring with a number above `after`, oldest first. Called on the thread.
    using Source = std::function<std::vector<layout::Sample>(std::uint64_t after)>;

    static constexpr std::uint64_t kDefaultBytes = 256ULL << 20;

    // Starts the thread. Never fails for the database's sake: state() tells.
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
