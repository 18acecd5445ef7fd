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
    // A new recorder has not opened its database yet, and has not failed either.
    bool failing() const { return !problem.empty(); }
};

// Drains the event ring into SQLite on a thread of its own. Each event is recorded exactly once,
// across any kill: UNIQUE(epoch, ring_seq), and the database says where to continue. A database
// that cannot be written, or is locked, replaced, unlinked or corrupt, stops only the recording; it
// is retried, and a corrupt one is set aside under another name.
class EventRecorder {
  public:
    // The key that signs the history, and the file with its end; without a key it is not signed.
    struct Audit {
        std::shared_ptr<const SigningKey> key;
        std::string head_file;
    };
    // Starts the thread. A database error is reported by state().
    EventRecorder(EventRing& ring, std::uint64_t epoch, std::string path, Audit audit = {});
    ~EventRecorder();  // drains what it can within two seconds, then stops

    void wake();                  // any thread: there is something to drain
    RecorderState state() const;  // any thread
    // How long each event waited for its row, since this recorder started. Any thread may read.
    const layout::HistogramCells& lags() const;
    // Any thread. Rows older than `millis` are removed, and the oldest ones while all take more
    // than `max_bytes`; 0: no limit. Needs a key.
    void set_retention(std::int64_t millis, std::uint64_t max_bytes);
    // Waits until everything published before the call is committed, or `timeout_ms` passed.
    bool flush(int timeout_ms);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
