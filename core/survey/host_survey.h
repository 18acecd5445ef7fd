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
// What one should look at first has the lowest: left over, unknown, kept, ours, in use.
int rank(SegmentVerdict verdict);

struct HostSegment {
    SegmentKind kind{};
    // What `host clean` takes: "/dev/shm/psm_1a2b" as "psm_1a2b", System V as "sysv:<id>", memfd as
    // "memfd:<device>:<inode>", a file that has lost its name as "unlinked:<device>:<inode>". In
    // front of one in another namespace stands "@<namespace inode>:"; in front of a file whose name
    // would read like one of these, "./".
    std::string name;
    std::string label;       // the name its program gave: of memfd "memfd:<label>", else as `name`
    std::uint64_t size = 0;  // bytes
    std::uint64_t resident = 0;  // taken, in memory or in swap
    std::uint64_t swapped = 0;   // of that in swap, where the system says: System V
    std::uint32_t uid = 0;
    std::string user;
    std::uint32_t mode = 0;               // permission bits
    std::uint64_t device = 0, inode = 0;  // of posix and memfd
    std::int64_t key = 0;                 // of System V
    std::uint64_t name_space = 0;         // inode of the mount or ipc namespace; 0: ours
    std::string container;        // what is known of that namespace: a container's id, a program
    bool unlinked = false;        // posix: only its users know it now, nobody finds it any more
    std::uint64_t attached = 0;   // System V: how often it is, by the kernel's own count
    std::int64_t last_user = 0;   // System V: pid that attached or detached it last
    std::int64_t creator = 0;     // pid; 0: neither the system nor the name says
    bool creator_gone = false;    // for certain
    bool creator_reused = false;  // its pid belongs to a process that started after the segment
    std::string creator_process;  // of a creator that lives
    Timestamp created, touched;   // 0: the system does not say
    std::vector<SegmentUser> users;
    bool users_complete = true;  // false: some processes could not be looked at
    std::string program;         // "PostgreSQL", "Chromium" …; empty: not known
    SegmentVerdict verdict = SegmentVerdict::unknown;
    int confidence = 0;  // of the verdict, in percent
    // What it would be if the kernel said that nobody has it: the same, unless some processes could
    // not be looked at.
    int confidence_if_unused = 0;
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
    // Slower: also sees what a process maps into the middle of its own program or library.
    bool every_mapping = false;
};

// Reads only. What may not be read is told in the survey, and is no error. Any thread; with a
// namespace of System V segments to look into, a short-lived thread of its own enters it.
//
// Not seen, because no process shows it: a descriptor on its way through a socket, one that only a
// thread with a descriptor table of its own has, and files more than one directory deep.
Result<HostSurvey> survey_host(const SurveyOptions& options = {});

inline constexpr int kCertain = 90;  // percent

struct HostCleanItem {
    HostSegment segment;
    bool removable = false;  // or would be, without `dry_run`
    bool removed = false;
    std::string reason;  // why it goes, stays, or could not be removed
};

// Removes those named, or without names those of our own namespaces that were left over for certain
// (confidence_if_unused of at least kCertain, and the kernel says so). Each is looked at again
// right before: one that anyone maps or has open is never touched, whatever was asked. With
// `dry_run` nothing is.
//
// How that is known, and what remains:
// - posix: a write lease, which the kernel grants only while nobody else has the file open or
//   mapped, in any namespace, and which makes who opens it now wait. The name goes under it, if it
//   is still that file's. Between the last look at the lease and the unlink, a few microseconds,
//   somebody may begin to open it: he gets the memory, without a name. Where no lease is to be had
//   (another user's file) every process is looked at again, and then that window is milliseconds.
// - System V: the kernel's count of attachments and the time of creation, read right before. Who
//   attaches between the two calls keeps the memory until he detaches.
// - memfd: cannot be removed, only its users can end.
// What instances of ours look after and what is kept between runs is left to its programs. A word
// that names nothing gives an item of that name that is not removable, and says so.
Result<std::vector<HostCleanItem>> clean_host(const std::vector<std::string>& names, bool dry_run,
                                              const SurveyOptions& options = {});
// The same for exactly those that a survey or a rehearsal saw: one that was exchanged since, or of
// which it is no longer so that it was left over, stays.
Result<std::vector<HostCleanItem>> clean_segments(const std::vector<HostSegment>& segments,
                                                  const SurveyOptions& options = {});

}  // namespace snakepit::shm
