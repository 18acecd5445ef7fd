// SPDX-License-Identifier: MIT
// Descriptors that do not block: reading, writing, and waiting for several of them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

enum class StreamState {
    moved,   // some bytes, or all of them
    later,   // nothing now
    ended,   // nothing comes any more, or nobody reads any more
    failed,  // `error` says why
};

struct StreamResult {
    StreamState state = StreamState::later;
    std::size_t bytes = 0;
    int error = 0;  // errno
};

void set_nonblocking(const Handle& handle);
StreamResult read_now(const Handle& from, std::span<char> into);
// SIGPIPE has to be ignored or blocked.
StreamResult write_now(const Handle& to, std::string_view bytes);

// Waits until one of several handles can be used. One thread.
class HandlePoll {
  public:
    void clear() { entries_.clear(); }
    // What ready() is asked with. A handle that is not valid, or not wanted, is never ready.
    std::size_t add_reader(const Handle& handle, bool wanted = true);
    std::size_t add_writer(const Handle& handle, bool wanted = true);
    // -1: without a limit. False: the time is up. True with nothing ready: a signal was handled.
    bool wait(int timeout_ms);
    // Also where the other end is closed or the handle has an error.
    bool ready(std::size_t entry) const { return entries_[entry].ready; }

  private:
    struct Entry {
        int handle = -1;
        bool write = false, ready = false;
    };
    std::vector<Entry> entries_;
};

// A file to read; standard input for "-".
Result<Handle> open_input(const std::string& file);

// Standard input or output is a terminal.
bool is_on_terminal();

struct StandardStreams {
    Handle input, output;
};
// For a protocol on standard input and output: what is printed later goes to standard error.
Result<StandardStreams> take_standard_streams();

}  // namespace snakepit::shm
