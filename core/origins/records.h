// SPDX-License-Identifier: MIT
// The rows of origins.db.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "survey/origin.h"

namespace snakepit::shm::origins {

inline constexpr int kSchemaVersion = 1;
inline constexpr std::string_view kDatabaseName = "origins.db";
inline constexpr std::string_view kLockName = "origins.lock";

// Both clocks: the boot clock decides, the wall clock is for people.
struct Moment {
    std::int64_t boot = 0;  // microseconds
    Timestamp wall;
    static Moment now() { return {boot_micros(), shm::now()}; }
};

struct ProcessRow {
    std::int64_t id = 0;
    survey::RecordedProcess process;
    Moment seen;
};

struct EndRow {
    std::int64_t process = 0;  // its id
    Moment at;                 // of a row that adds the status: 0
    std::optional<int> status;
};

struct SegmentRow {
    std::int64_t id = 0;
    survey::SegmentIdentity identity;
    std::string name;                       // when it was made
    std::int64_t maker = 0, maker_pid = 0;  // an id, 0: it had ended; the pid is always there
    survey::Answer named_by_program = survey::Answer::not_told;
    Moment made;                    // 0: it was there before it was watched
    std::int64_t removed_boot = 0;  // 0: it was not
};

enum class What : std::uint8_t { opened, linked, renamed, removed, attached };
std::string_view to_string(What what);

// What a process did with a segment that it did not make; renames and links also of its maker.
struct ActRow {
    std::int64_t segment = 0, process = 0, pid = 0;  // `process`: 0: it had ended
    What what{};
    std::string name;  // the new one
    Moment at;
};

// Its maker removed it; at 0: it has a name again.
struct RemovalRow {
    std::int64_t segment = 0, boot = 0;
};

// Nothing, or not everything, was recorded from `begin` to `end`.
struct GapRow {
    std::uint64_t space = 0;          // a file system or IPC namespace; 0: all
    std::int64_t begin = 0, end = 0;  // of the boot clock
    std::string reason;               // a part of a sentence
};

// A file system or IPC namespace that is watched from now on.
struct PlaceRow {
    std::uint64_t space = 0;
    std::string path;
    Moment since;
};

// What is written at once.
struct Batch {
    std::vector<ProcessRow> processes;
    std::vector<SegmentRow> segments;
    std::vector<ActRow> acts;
    std::vector<RemovalRow> removals;
    std::vector<EndRow> ends;
    std::vector<GapRow> gaps;
    std::vector<PlaceRow> places;
    std::vector<std::int64_t> answers;  // pids that wait for this batch, see OriginReader::catch_up
    std::size_t rows() const {
        return processes.size() + segments.size() + acts.size() + removals.size() + ends.size() +
               gaps.size() + places.size() + answers.size();
    }
};

}  // namespace snakepit::shm::origins
