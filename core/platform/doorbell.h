// SPDX-License-Identifier: MIT
// Waking another process through a descriptor.
#pragma once

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// A line between two processes on which one rings and the other waits. When the ringing process
// ends, the line ends.
struct Doorbell {
    Handle ring, wait;

    static Result<Doorbell> make();
};

// Does not block, whatever the other side does to its end. False: the other side is gone.
bool ring(const Handle& line);
// Takes all rings, so that the descriptor is not readable until the next. False: the line ended.
bool take_rings(const Handle& line);

// One descriptor that is readable while any of a changing set of lines is, or when a time has come.
class EventSet {
  public:
    Status open();
    bool valid() const { return set_.valid(); }
    // For poll() and similar calls of the program. Stays the same.
    int descriptor() const { return set_.get(); }
    // Level-triggered. A line leaves the set when its descriptor is closed.
    Status add(const Handle& line);
    // Readable from `millis` on, 0: now, until the next call; negative: not at all.
    void wake_in(int millis);
    void close() {
        timer_.reset();
        set_.reset();
    }

  private:
    Handle set_, timer_;
};

}  // namespace snakepit::shm
