// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "crypto/signature.h"
#include "layout/histogram.h"
#include "registry/event_ring.h"

namespace snakepit::shm {

struct RecorderState {
    bool writable = false;
    std::uint64_t recorded = 0;  // rows written by this recorder
    std::uint64_t lag = 0;       // published in the ring and not yet committed
    std::string problem;         // why it is not writable; empty otherwise
    // A recorder that was just made has not opened its database yet, and has not failed either.
    bool failing() const { return !problem.empty(); }
};

// Drains the event ring into SQLite on a thread of its own. Each event arrives exactly once, across
// any kill: UNIQUE(epoch, ring_seq), and the place to go on from is read from the database.
// A database that cannot be written, or is locked, replaced, unlinked or corrupt, stops nothing but
// the recording; it is tried again, and a corrupt one is set aside under another name.
class EventRecorder {
  public:
    // What signs the history, and the file that says where it ends; without a key nothing does.
    struct Audit {
        std::shared_ptr<const SigningKey> key;
        std::string head_file;
    };
    // Starts the thread. Never fails for the database's sake: state() tells.
    EventRecorder(EventRing& ring, std::uint64_t epoch, std::string path, Audit audit = {});
    ~EventRecorder();  // drains what it can within two seconds, then stops

    void wake();                  // any thread: there is something to drain
    RecorderState state() const;  // any thread
    // How long each event waited for its row, since this recorder was made. Any thread may read.
    const layout::HistogramCells& lags() const;
    // Any thread. Rows older than `millis` go, and the oldest ones while they all take more than
    // `max_bytes`; 0: no limit. Needs a key.
    void set_retention(std::int64_t millis, std::uint64_t max_bytes);
    // Waits until everything published before the call is committed, or `timeout_ms` passed.
    bool flush(int timeout_ms);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
