// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// A pid alone is reused; with its start time it names one process for as long as the host is up.
struct ProcessInfo {
    std::int64_t pid = 0;
    std::int64_t start_time = 0;  // clock ticks since boot
    std::uint32_t uid = 0;        // effective ones, of its first thread
    std::uint32_t gid = 0;
    bool zombie = false;  // all of its threads have ended
    std::string name;     // at most 15 bytes, as the kernel keeps it
};

// platform_error: there is no such process. permission_denied: there is one, and /proc does not
// show it to us (hidepid, a /proc of another pid namespace).
Result<ProcessInfo> inspect_process(std::int64_t pid);
// The same of one that is held by its descriptor.
Result<ProcessInfo> inspect_process(const Handle& process, std::int64_t pid);

// A handle that becomes readable when the process has exited (also if nobody reaps it).
Result<Handle> watch_process(std::int64_t pid);
bool has_exited(const Handle& process);

// The process of this descriptor among all since boot, the same in every namespace; 0: the kernel
// does not tell (before Linux 6.13).
std::uint64_t process_number(const Handle& process);

// Beside its effective ids, of its first thread; nothing where the system does not tell.
struct OtherIds {
    std::uint32_t real_uid, saved_uid, real_gid, saved_gid;
};
std::optional<OtherIds> other_ids(const Handle& process);

// The directory in /proc that shows what the process has: memory, descriptors, program. Empty: none
// that we see.
std::string process_directory(const Handle& process);
// The same by its directory /proc/<number>, which is its first thread's: that shows nothing once
// the thread has ended, though others go on.
std::string directory_of_living_thread(std::string process);

// The calling thread's number, as the system counts threads; of its first thread, the process id.
std::uint32_t current_thread();

// The file this process runs, however it was started; empty if the system does not tell.
std::string own_executable();

// The program `name` that belongs to this library or program: its path in a build or installed
// tree, else the name alone, for the search path.
std::string companion_program(std::string_view name);

// Starts `program` in a session of its own, in the root directory, with /dev/null as its standard
// files and, if it is valid, `handle` as descriptor kHandedDescriptor; it inherits no other and no
// blocked signals. Paths among `words` have to be absolute; those in our environment are made so.
// Its process id.
Result<std::int64_t> start_detached(const std::string& program,
                                    const std::vector<std::string>& words, const Handle& handle);
inline constexpr int kHandedDescriptor = 3;

// Raises the limit of open files as far as we may: the soft one is made for programs that use
// select().
void raise_descriptor_limit();

// Sixteen bytes that change at every boot.
Result<std::string> boot_id();

}  // namespace snakepit::shm
