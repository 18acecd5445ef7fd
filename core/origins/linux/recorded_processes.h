// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/handle.h"
#include "base/result.h"
#include "origins/records.h"
#include "survey/known_programs.h"
#include "survey/linux/circles.h"

namespace snakepit::shm::origins {

// Who the processes of events are, and when they end. One thread.
class RecordedProcesses {
  public:
    // `last_id`: of rows that exist. `commands`: reads command lines as well.
    static Result<RecordedProcesses> open(std::int64_t last_id, bool commands);

    // The id of the process `pid`, whose row is added to `out` at its first event; 0: it has ended
    // and cannot be identified any more. `process`: its descriptor from the event; invalid: it may
    // have ended.
    std::int64_t identify(std::int64_t pid, Handle process, Moment at, Batch& out);
    // The same for a pid that was just read in a list of the kernel's.
    std::int64_t identify(std::int64_t pid, Moment at, Batch& out);
    // Confirms that a process was still there; afterwards a pid that is read can be this one only.
    void confirm(std::int64_t id, std::int64_t pid, Moment at);
    // Whether it runs a program of ours now, whose owner is root or the owner of this one. To ask
    // the kernel for users of a file, `host clean` opens it and renames it for a moment, and keeps
    // nothing of it.
    bool is_ours(std::int64_t id, std::int64_t pid) const;
    // Whether a process runs one of these, by its executable and libraries.
    survey::Answer runs(std::int64_t id, std::int64_t pid, survey::SoftwareSet software);

    // Readable when processes have ended.
    int descriptor() const { return ends_.get(); }
    void note_ends(Moment at, Batch& out);
    std::size_t size() const { return known_.size(); }
    void forget_all();

  private:
    struct Known {
        std::int64_t id = 0;
        Handle process;  // invalid: it has ended
        std::int64_t confirmed =
            0;  // when it was there for certain, microseconds of the boot clock
        std::string executable;
        bool ours = false;
        std::optional<survey::SoftwareSet> libraries;
    };
    struct Facts {
        survey::RecordedProcess process;
        bool ours = false;
    };
    // Empty: it ended while it was read.
    std::optional<Facts> read(std::int64_t pid, const Handle& process) const;
    static void note_end(Known& known, Moment at, Batch& out);
    void make_room();

    Handle proc_, ends_;
    std::uint32_t owner_ = 0;  // of this program's file
    survey::GroupTree groups_;
    std::int64_t last_id_ = 0;
    std::int64_t pid_stays_ = 0;  // microseconds
    bool commands_ = false;
    std::unordered_map<std::int64_t, Known> known_;            // by pid
    std::deque<std::pair<std::int64_t, std::int64_t>> order_;  // pids and ids, the oldest first
};

}  // namespace snakepit::shm::origins
