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

enum class UseKind : std::uint8_t { open, maps, attached };
std::string_view to_string(UseKind use);  // "open", "maps", "attached"

struct SegmentUser {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string program;          // the name of its process
    UseKind how = UseKind::open;  // the strongest: mapped or attached before open
};

// Whether a process lives. Nothing but its absence from a /proc that hides nobody proves that it is
// gone: what may not be read is not_told.
enum class Life : std::uint8_t { lives, gone, not_told };
std::string_view to_string(Life life);  // "running", "exited", "not_seen"

struct SegmentCreator {
    std::int64_t pid = 0;  // 0: neither the system nor the name says
    enum class KnownBy : std::uint8_t { nothing, kernel, name } known_by = KnownBy::nothing;
    Life life = Life::not_told;
    std::string program, cgroup;  // of one that lives and may be looked at
};
std::string_view to_string(SegmentCreator::KnownBy known_by);  // "", "kernel", "name"

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
    // front of one in another namespace, or below another root, stands "@<namespace inode>:"; in
    // front of a file whose name would read like one of these, "./".
    std::string name;
    std::vector<std::string> names;  // all of them, `name` first: a file may have several
    std::string label;       // the name its program gave: of memfd "memfd:<label>", else as `name`
    std::uint64_t size = 0;  // bytes
    std::uint64_t resident = 0;  // taken, in memory or in swap
    std::uint64_t swapped = 0;   // of that in swap, where the system says: System V
    bool huge_pages = false;     // the system does not count it as shared memory
    std::uint32_t uid = 0, gid = 0;
    std::string user;
    std::uint32_t mode = 0;  // permission bits
    bool has_acl = false;    // posix: more than the mode says who may open it
    std::uint32_t creator_uid = 0, creator_gid = 0;  // System V: they may use it as its owner may
    std::uint64_t device = 0, inode = 0;             // of posix and memfd
    std::uint64_t links = 0;       // posix: names by the kernel's count, also unseen ones
    std::int64_t key = 0;          // of System V
    std::uint64_t name_space = 0;  // inode of the mount or ipc namespace; 0: ours
    std::string container;         // what is known of that namespace: a container's id, a program
    bool unlinked = false;         // posix: only its users know it now, nobody finds it any more
    bool removed = false;          // System V: freed when the last process detaches it
    std::uint64_t attached = 0;    // System V: how often it is, by the kernel's own count
    std::int64_t last_user = 0;    // System V: pid that attached or detached it last
    SegmentCreator creator;
    Timestamp created, touched;  // 0: the system does not say
    std::vector<SegmentUser> users;
    bool users_complete = true;  // false: some processes could not be looked at
    std::string program;         // "PostgreSQL", "Chromium" …; empty: not known
    // Its creator, the last process that attached it, or its program is running, or cannot be seen.
    bool creator_may_live = false;
    SegmentVerdict verdict = SegmentVerdict::unknown;
    int confidence = 0;  // of the verdict, in percent
    // What it would be if the kernel said that nobody has it: the same, unless some processes could
    // not be looked at.
    int confidence_if_unused = 0;
    std::vector<std::string> evidence;  // sentences
};

// A file system of shared memory.
struct MemoryPlace {
    std::string path;                    // where it is mounted, as its users see it
    std::uint64_t name_space = 0;        // inode of their mount namespace; 0: ours
    std::uint64_t used = 0, listed = 0;  // bytes: by the file system, and of the segments listed
    std::uint64_t total = 0, free = 0;   // bytes
    std::uint64_t files_total = 0, files_free = 0;  // inodes; 0 and 0: not limited
};

// What the kernel counts as shared memory against what was found.
struct MemoryBalance {
    std::uint64_t shmem = 0;  // bytes, Shmem of /proc/meminfo
    // Bytes found: segments and anonymous memory, without what is in swap or in huge pages, and
    // all that is used of file systems of memory that hold no segments.
    std::uint64_t listed = 0;
    // Memory that is found, but is no segment: mapped shared without a file, as PostgreSQL's.
    std::uint64_t anonymous = 0;
    std::vector<MemoryPlace> places;  // of our own namespace first
    std::vector<std::string> notes;   // sentences: where the rest may be
    // Negative where memory was given back while we looked.
    std::int64_t unlisted() const {
        return static_cast<std::int64_t>(shmem) - static_cast<std::int64_t>(listed);
    }
};

// Of our own IPC namespace. A limit of 0: not told.
struct SystemVLimits {
    std::uint64_t segments = 0, most_segments = 0;  // SHMMNI
    std::uint64_t bytes = 0, most_bytes = 0;        // SHMALL; what was asked for, not what is taken
    std::uint64_t largest = 0;                      // SHMMAX, bytes of one segment
};

// What stands between the segments and is none.
struct OtherFile {
    std::string name, kind;  // "directory", "FIFO", "socket", "symbolic link", "device", "mount"
};

struct HostSurvey {
    Timestamp time;
    std::vector<HostSegment> segments;
    std::uint64_t processes = 0, unreadable = 0;  // looked at, and not allowed to
    std::uint64_t shm_total = 0, shm_free = 0;    // of the host's shared memory file system
    MemoryBalance balance;
    SystemVLimits system_v;
    std::vector<OtherFile> others;
    std::vector<std::string> limits;  // what could not be seen, and why
};

struct SurveyOptions {
    std::string shm_path = "/dev/shm";
    // A test's own directories in place of the system's; empty: /proc.
    std::string proc_path;
    // Slower: also sees what a process maps into the middle of its own program or library.
    bool every_mapping = false;
    // Without what costs more than the rest: sockets that may carry descriptors.
    bool quick = false;
};

// Reads only. What may not be read is told in the survey, and is no error. Any thread; with a
// namespace of System V segments to look into, a short-lived thread of its own enters it.
//
// Not listed, because no process shows it: memory whose only descriptor is on its way through a
// socket, or in a namespace that only a descriptor keeps. The balance says where to look.
Result<HostSurvey> survey_host(const SurveyOptions& options = {});

// Whether a segment is called `word`: by a name, its label, or its key in hexadecimal.
bool is_called(const HostSegment& segment, std::string_view word);

inline constexpr int kCertain = 90;  // percent

// Why a segment stays, for programs.
enum class Refusal : std::uint8_t {
    none,
    in_use,            // open, mapped, attached or leased; a file without a name
    managed,           // an instance of Snakepit SHM looks after it
    creator_may_live,  // the only one that `force` overrides
    not_permitted,
    not_known,  // some processes could not be looked at, and the kernel could not be asked
    not_found,
    exchanged,  // another segment has its name by now
    failed,
};
std::string_view to_string(Refusal refusal);  // "", "in_use", "managed" …

struct HostCleanItem {
    HostSegment segment;
    bool removable = false;  // or would be, without `dry_run`
    bool removed = false;
    bool overridden = false;  // it went although its creator may live
    Refusal refusal = Refusal::none;
    std::uint64_t freed = 0;  // bytes; 0 while another name keeps it
    std::string reason;       // why it goes, stays, or could not be removed
};

struct CleanOptions {
    bool dry_run = false;  // nothing is removed
    // Needs names. Overrides one objection, that the creator may live; never that it is in use.
    bool force = false;
};

// Removes those named, or without names those of our own namespaces that were left over for certain
// (confidence_if_unused of at least kCertain, and the kernel says so). Each is looked at again
// right before: one that anyone maps or has open is never touched, whatever was asked.
//
// How that is known, and what remains:
// - posix: a write lease, which the kernel grants only while nobody else has the file open or
//   mapped, in any namespace, and which makes who opens it now wait. The name goes under it, if it
//   is still that file's. Between the last look at the lease and the unlink, a few microseconds,
//   somebody may begin to open it: he gets the memory, without a name. Where no lease is to be had
//   (another user's file) every process is looked at again, once for all of them, and then that
//   window is as long as the look takes.
// - System V: the kernel's count of attachments and the time of creation, read right before. Who
//   attaches between the two calls keeps the memory until he detaches.
// - memfd: cannot be removed, only its users can end.
// A word is a name as in HostSegment::names, "/name", a path, or a System V key ("0x5157"). One
// that names nothing gives an item of that name that is not removable, and says so. Of a file with
// several names the one named goes; without names all of them.
Result<std::vector<HostCleanItem>> clean_host(const std::vector<std::string>& words,
                                              const CleanOptions& clean,
                                              const SurveyOptions& options = {});
// The same for exactly those that a survey or a rehearsal saw: one that was exchanged since, or of
// which it is no longer so that it was left over, stays.
Result<std::vector<HostCleanItem>> clean_segments(const std::vector<HostSegment>& segments,
                                                  const CleanOptions& clean,
                                                  const SurveyOptions& options = {});

}  // namespace snakepit::shm
