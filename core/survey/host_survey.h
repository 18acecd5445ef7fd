// SPDX-License-Identifier: MIT
// Every piece of shared memory on the host, whoever made it: who made it, who maps it, and whether
// it was left behind. Needs no manager.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm {

enum class SegmentKind : std::uint8_t { posix, system_v, memfd };
std::string_view to_string(SegmentKind kind);  // "posix", "sysv", "memfd"

struct SegmentUser {  // a process that maps a segment, or has it open
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string process;
    bool maps = false;  // false: only holds a descriptor
};

enum class SegmentVerdict : std::uint8_t {
    in_use,     // a process maps it or has it open
    ours,       // an instance of Snakepit SHM looks after it
    kept,       // nobody maps it now, and its program means it to stay
    left_over,  // nobody can need it any more, as far as can be seen
    unknown,    // nobody maps it; whether somebody will cannot be told
};
std::string_view to_string(SegmentVerdict verdict);

struct HostSegment {
    SegmentKind kind{};
    // What `host clean` takes: "/dev/shm/psm_1a2b" as "psm_1a2b", System V as "sysv:<id>", memfd as
    // "memfd:<device>:<inode>"; "@<namespace inode>" in front of one in another namespace.
    std::string name;
    std::string label;       // the name its program gave: of memfd "memfd:<label>", else as `name`
    std::uint64_t size = 0;  // bytes
    std::uint64_t resident = 0;
    std::uint32_t uid = 0;
    std::string user;
    std::uint32_t mode = 0;               // permission bits
    std::uint64_t device = 0, inode = 0;  // of posix and memfd
    std::int64_t key = 0;                 // of System V
    std::uint64_t name_space = 0;         // inode of the mount or ipc namespace; 0: ours
    std::string container;     // what is known of that namespace: a container's id, a program
    std::int64_t creator = 0;  // pid; 0: the system does not say
    // The process that has this pid now is not the creator: it started later than the segment.
    bool creator_gone = false, creator_reused = false;
    std::string creator_process;
    Timestamp created, touched;  // 0: the system does not say
    std::vector<SegmentUser> users;
    bool users_complete = true;  // false: some processes could not be looked at
    std::string program;         // "PostgreSQL", "Chromium" …; empty: not known
    SegmentVerdict verdict = SegmentVerdict::unknown;
    int confidence = 0;                 // of the verdict, in percent
    std::vector<std::string> evidence;  // sentences
};

struct HostSurvey {
    Timestamp time;
    std::vector<HostSegment> segments;
    std::uint64_t processes = 0, unreadable = 0;  // looked at, and not allowed to
    std::uint64_t shm_total = 0, shm_free = 0;    // of the host's shared memory file system
    std::vector<std::string> limits;              // what could not be seen, and why
};

struct SurveyOptions {
    std::string shm_path = "/dev/shm";
    // A test's own directories in place of the system's; empty: /proc.
    std::string proc_path;
};

// Reads only. What may not be read is told in the survey, and is no error.
Result<HostSurvey> survey_host(const SurveyOptions& options = {});

struct HostCleanItem {
    HostSegment segment;
    bool removable = false;
    bool removed = false;
    std::string reason;  // why it goes, stays, or could not be removed
};

// Removes those named, or without names those that were left over for certain (confidence of at
// least 90). Each is looked at again right before: one that anyone maps or has open is never
// touched, whatever was asked. With `dry_run` nothing is.
Result<std::vector<HostCleanItem>> clean_host(const std::vector<std::string>& names, bool dry_run,
                                              const SurveyOptions& options = {});

}  // namespace snakepit::shm
