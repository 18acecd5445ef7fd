// SPDX-License-Identifier: MIT
// All shared memory on the host: which process created it, which processes use it, and whether it
// is left over. Needs no manager.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm {

class SegmentMemory;
namespace survey {
class OriginSource;
}

enum class SegmentKind : std::uint8_t { posix, system_v, memfd };
std::string_view to_string(SegmentKind kind);  // "posix", "sysv", "memfd"

enum class UseKind : std::uint8_t { open, maps, attached };
std::string_view to_string(UseKind use);  // "open", "maps", "attached"

struct SegmentUser {
    std::int64_t pid = 0;  // 0: the kernel
    std::uint32_t uid = 0;
    std::string program;          // the name of its process; "kernel: loop3"
    UseKind how = UseKind::open;  // the strongest use: mapped or attached before open
};

// Whether a process is running. Only its absence from a /proc that hides no process proves that it
// has exited: what cannot be read is not_told.
enum class Life : std::uint8_t { lives, gone, not_told };
std::string_view to_string(Life life);  // "running", "exited", "not_seen"

struct SegmentCreator {
    std::int64_t pid = 0;  // 0: unknown
    enum class KnownBy : std::uint8_t {
        nothing,
        kernel,
        name,
        origin_log,  // recorded when it was made
    } known_by = KnownBy::nothing;
    Life life = Life::not_told;
    std::string program, cgroup;  // of a process that can be inspected, or was recorded
};
std::string_view to_string(SegmentCreator::KnownBy known_by);  // "", "kernel", "name", "origin_log"

enum class GroupKind : std::uint8_t { root, container, pod, unit, other };
std::string_view to_string(GroupKind kind);  // "host", "container", "pod", "unit", "group"

// The control group that pays for a segment: the kernel charges each page to the group of the
// process that wrote it first, and one page of the segment stands for all.
struct SegmentPayer {
    // page: the kernel said so now. earlier: when a process had the segment mapped.
    enum class KnownBy : std::uint8_t { nothing, page, earlier } known_by = KnownBy::nothing;
    std::string group;  // its path; empty: not told
    std::string name;   // "container 0123456789ab", "nginx.service", "the host"
    GroupKind kind = GroupKind::other;
    std::string reason;  // a sentence: why it is not told
};
std::string_view to_string(SegmentPayer::KnownBy known_by);  // "", "page", "earlier"

enum class SegmentVerdict : std::uint8_t {
    in_use,     // a process maps it or has it open
    ours,       // an instance of Snakepit SHM manages it
    kept,       // unused now, but its program keeps it on purpose
    left_over,  // as far as visible, no process can need it any more
    unknown,    // unused; it is unknown whether a process will use it again
};
std::string_view to_string(SegmentVerdict verdict);
// Sort order by importance: left over, unknown, kept, ours, in use.
int rank(SegmentVerdict verdict);

struct HostSegment {
    SegmentKind kind{};
    // The argument of `host clean`: "/dev/shm/psm_1a2b" as "psm_1a2b", System V as "sysv:<id>",
    // memfd as "memfd:<device>:<inode>", an unlinked file as "unlinked:<device>:<inode>". In front
    // of one in another namespace, or below another root, stands "@<namespace inode>:"; in front of
    // a file whose name would read like one of these, "./".
    std::string name;
    std::vector<std::string> names;  // all of them, `name` first: a file may have several
    std::string label;           // the program's name for it: of memfd "memfd:<label>", else `name`
    std::uint64_t size = 0;      // bytes
    std::uint64_t resident = 0;  // in use, in memory or in swap
    std::uint64_t swapped = 0;   // of that in swap, if known: System V
    bool huge_pages = false;     // the system does not count it as shared memory
    std::uint32_t uid = 0, gid = 0;
    std::string user;
    std::uint32_t mode = 0;  // permission bits
    bool has_acl = false;    // posix: it has an access control list besides the mode
    std::uint32_t creator_uid = 0, creator_gid = 0;  // System V: have the same rights as the owner
    std::uint64_t device = 0, inode = 0;             // of posix and memfd
    std::uint64_t links = 0;  // posix: number of names by the kernel, including those not visible
    std::int64_t key = 0;     // of System V
    std::uint64_t name_space = 0;  // inode of the mount or ipc namespace; 0: ours
    std::string container;         // the namespace's description: a container's id, a program
    bool unlinked = false;         // posix: unlinked, so only its users can access it
    bool removed = false;          // System V: freed when the last process detaches it
    std::uint64_t attached = 0;    // System V: number of attachments, counted by the kernel
    std::int64_t last_user = 0;    // System V: pid that last attached or detached it
    SegmentCreator creator;
    SegmentPayer payer;
    Timestamp created, touched;  // 0: unknown
    std::vector<SegmentUser> users;
    bool users_complete = true;  // false: some processes could not be inspected
    std::string program;         // "PostgreSQL", "Chromium" …; empty: not known
    // Its creator, the last process that attached it, or its program is running or not visible.
    bool creator_may_live = false;
    SegmentVerdict verdict = SegmentVerdict::unknown;
    int confidence = 0;  // of the verdict, in percent
    // The confidence if the kernel confirms that no process has it: the same, unless some processes
    // could not be inspected.
    int confidence_if_unused = 0;
    std::vector<std::string> evidence;  // sentences
    std::string advice;                 // a sentence: how to remove it; empty: nothing special
};

// A control group that pays for segments.
struct PayingGroup {
    std::string group, name;  // as of SegmentPayer
    GroupKind kind = GroupKind::other;
    std::uint64_t segments = 0, bytes = 0;        // that it pays for; resident
    std::uint64_t left_over = 0, bytes_left = 0;  // of them
    // The nearest limit, which may be of a group above; 0: none, or it cannot be read.
    std::uint64_t limit = 0;
    std::string limited;       // the group that has the limit
    std::uint64_t used = 0;    // of the limit, without pages of files that were not used lately
    std::uint64_t shared = 0;  // of it shared memory
    std::string warning;       // a sentence: left-over segments fill the limit
};

// A file system of shared memory.
struct MemoryPlace {
    std::string path;                    // the mount point, as seen by its users
    std::uint64_t name_space = 0;        // inode of their mount namespace; 0: ours
    std::uint64_t used = 0, listed = 0;  // bytes: used in the file system, and in listed segments
    std::uint64_t total = 0, free = 0;   // bytes
    std::uint64_t files_total = 0, files_free = 0;  // inodes; 0 and 0: not limited
};

// Compares the kernel's count of shared memory with what was found.
struct MemoryBalance {
    std::uint64_t shmem = 0;  // bytes, Shmem of /proc/meminfo
    // Bytes found: segments and anonymous memory, without swap and huge pages, and the used space
    // of memory file systems without segments.
    std::uint64_t listed = 0;
    // Memory that was found but is not a segment: shared mappings without a file, as PostgreSQL
    // uses.
    std::uint64_t anonymous = 0;
    std::vector<MemoryPlace> places;  // of our own namespace first
    std::vector<std::string> notes;   // sentences: where the difference may be
    // Negative if memory was freed during the survey.
    std::int64_t unlisted() const {
        return static_cast<std::int64_t>(shmem) - static_cast<std::int64_t>(listed);
    }
};

// Of our own IPC namespace. A limit of 0 is unknown.
struct SystemVLimits {
    std::uint64_t segments = 0, most_segments = 0;  // SHMMNI
    std::uint64_t bytes = 0, most_bytes = 0;        // SHMALL; requested bytes, not bytes in use
    std::uint64_t largest = 0;                      // SHMMAX, bytes of one segment
};

// An entry among the segments that is not a segment.
struct OtherFile {
    std::string name, kind;  // "directory", "FIFO", "socket", "symbolic link", "device", "mount"
};

struct HostSurvey {
    Timestamp time;
    std::vector<HostSegment> segments;
    std::uint64_t processes = 0, unreadable = 0;  // processes that could not be inspected
    std::uint64_t shm_total = 0, shm_free = 0;    // of the host's shared memory file system
    MemoryBalance balance;
    SystemVLimits system_v;
    std::vector<PayingGroup> groups;  // the largest first; empty: payers were not looked for
    std::vector<OtherFile> others;
    std::vector<std::string> limits;  // what was not visible, and why
};

struct SurveyOptions {
    std::string shm_path = "/dev/shm";
    // A replacement for /proc in tests; empty: /proc.
    std::string proc_path;
    // Slower: also finds mappings in the middle of a process's own program or library.
    bool every_mapping = false;
    // Skips the most expensive part: sockets that may carry descriptors.
    bool quick = false;
    // Also determines who pays for each segment.
    bool payers = false;
    // What earlier surveys found out, for segments that no process has mapped any more; borrowed.
    const SegmentMemory* memory = nullptr;
    // What was recorded about segments; null: nothing. It outlives the survey. What the survey says
    // then is for those who may read the record, and not to be passed on.
    survey::OriginSource* origins = nullptr;
};

// Read-only. The survey reports what could not be read; that is not an error. Any thread;
// namespaces of System V segments are entered by a short-lived thread.
//
// Not listed, because no process shows it: memory whose only descriptor is in transit through a
// socket, or in a namespace kept only by a descriptor. The balance reports where it may be.
Result<HostSurvey> survey_host(const SurveyOptions& options = {});

// Whether `word` names the segment: by a name, its label, or its key in hexadecimal.
bool is_called(const HostSegment& segment, std::string_view word);

inline constexpr int kCertain = 90;  // percent

// The reason why a segment stays, for programs.
enum class Refusal : std::uint8_t {
    none,
    in_use,            // open, mapped, attached or leased; a file without a name
    managed,           // an instance of Snakepit SHM manages it
    creator_may_live,  // the only reason that `force` overrides
    not_permitted,
    not_known,  // some processes could not be inspected, and the kernel could not be asked
    not_found,
    exchanged,  // another segment has its name now
    ambiguous,  // several segments are called like this
    failed,
};
std::string_view to_string(Refusal refusal);  // "", "in_use", "managed" …

struct HostCleanItem {
    HostSegment segment;
    bool removable = false;  // or would be, without `dry_run`
    bool removed = false;
    bool overridden = false;  // removed although its creator may be running
    Refusal refusal = Refusal::none;
    std::uint64_t freed = 0;  // bytes; 0 while another name keeps it
    std::string reason;       // why it is removed, stays, or could not be removed
};

struct CleanOptions {
    bool dry_run = false;  // nothing is removed
    // Needs names. Overrides only the objection that the creator may be running, never that the
    // segment is in use.
    bool force = false;
};

// Removes those named, or without names those of our own namespaces that were left over for certain
// (confidence_if_unused of at least kCertain, and the kernel says so). Each one is checked again
// right before: a segment that a process has mapped or open is never removed.
//
// How this is determined, and the remaining risks:
// - posix: a write lease, which the kernel grants only while nobody else has the file open or
//   mapped, in any namespace, and which makes who opens it now wait. The name goes under it, if it
//   is still that file's. Between the last look at the lease and the unlink, a few microseconds,
//   somebody may begin to open it: he gets the memory, without a name. Where no lease is to be had
//   (another user's file) every process is looked at again, once for all of them, and then that
//   window is as long as the look takes.
// - System V: the kernel's count of attachments and the time of creation, read right before. Who
//   attaches between the two calls keeps the memory until he detaches.
// - memfd: cannot be removed, only its users can end. A word is a name as in HostSegment::names,
// "/name", a path, or a System V key ("0x5157"). A path names a file in our own directory of
// segments and nothing else. An unknown word, or one that several segments are called by, yields an
// item that is not removable, with the reason. Of a file with several names only the given one is
// removed; without names all of them.
Result<std::vector<HostCleanItem>> clean_host(const std::vector<std::string>& words,
                                              const CleanOptions& clean,
                                              const SurveyOptions& options = {});
// The same for exactly the segments of a survey or dry run: a segment that was replaced since, or
// is not left over any more, stays.
Result<std::vector<HostCleanItem>> clean_segments(const std::vector<HostSegment>& segments,
                                                  const CleanOptions& clean,
                                                  const SurveyOptions& options = {});

}  // namespace snakepit::shm
