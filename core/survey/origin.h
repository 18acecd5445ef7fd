// SPDX-License-Identifier: MIT
// What was recorded about a segment while it was made and used, for surveys that are given it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "survey/process_view.h"

namespace snakepit::shm::survey {

// The outermost pid namespace, by its inode.
inline constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;

// A process, as it was when it made or opened something.
struct RecordedProcess {
    std::int64_t pid = 0;
    std::int64_t started = 0;     // clock ticks since boot: with the pid it identifies the process
    std::uint32_t uid = 0;        // effective
    std::string program;          // the name of the process
    std::string executable;       // its path; empty: not known
    std::string command;          // without secrets; empty: not recorded
    std::string cgroup;           // path in the hierarchy of version 2; empty: not known
    std::uint64_t cgroup_id = 0;  // the inode of its directory; 0: not known
    std::uint64_t pid_namespace = 0;  // inode; 0: not known
    Timestamp ended;                  // 0: not known, or it has not
    std::optional<int> status;        // as waitpid(2) has it
};

struct Origin {
    std::optional<RecordedProcess> maker;  // empty: it had ended before it could be read
    std::vector<RecordedProcess> openers;  // processes other than the maker
    Timestamp made;                        // 0: before it was watched
    // When it was last opened or named, or one of these processes ended: microseconds of the boot
    // clock.
    std::int64_t last_event_boot = 0;
    // The maker is a program that uses such names, by its libraries.
    Answer named_by_program = Answer::not_told;
    bool renamed = false;  // a process other than its maker renamed or linked it
    // Everyone who opened it since it was made is known.
    bool whole = false;
    std::string gap;  // why not: a part of a sentence
};

// Identifies a segment from boot to boot; a name does not.
struct SegmentIdentity {
    SegmentKind kind{};
    std::uint64_t space = 0;  // of files file_system_of(), of System V the IPC namespace's inode
    std::string file;         // the kernel's file handle; of System V table_identity()
};

// Of a row of the System V table.
std::string table_identity(std::uint64_t id, std::int64_t creator, Timestamp created);

class OriginSource {
  public:
    virtual ~OriginSource() = default;
    // Call before find(): waits, not for long, until what happened before the call is recorded.
    // `directory`: one of segments. False: that is not known, and then nothing counts as whole.
    virtual bool catch_up(int directory) = 0;
    // Call when this process has opened segments, to determine which process uses them: waits, not
    // for long, until that is recorded as what it is, which is possible only while this process
    // runs.
    virtual void be_seen(int directory) = 0;
    // Empty: nothing was recorded.
    virtual std::optional<Origin> find(const SegmentIdentity& segment) = 0;
};

}  // namespace snakepit::shm::survey
