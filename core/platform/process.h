// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Pids are reused; together with the start time a pid identifies one process until the next boot.
struct ProcessInfo {
    std::int64_t pid = 0;
    std::int64_t start_time = 0;  // clock ticks since boot
    std::uint32_t uid = 0;        // effective ones, of its first thread
    std::uint32_t gid = 0;
    bool zombie = false;  // all of its threads have ended
    // Its first thread has ended, is exiting or was killed: what the process holds may go at any
    // moment.
    bool ending = false;
    std::string name;  // at most 15 bytes, as the kernel keeps it
};

// platform_error: the process does not exist. permission_denied: it exists, but /proc hides it
// (hidepid, a /proc of another pid namespace).
Result<ProcessInfo> inspect_process(std::int64_t pid);
// The same for a process descriptor.
Result<ProcessInfo> inspect_process(const Handle& process, std::int64_t pid);

// A handle that becomes readable when the process has exited (even if it is not reaped).
Result<Handle> watch_process(std::int64_t pid);
bool has_exited(const Handle& process);

// A number that identifies the descriptor's process among all since boot, in every namespace; 0:
// unknown (before Linux 6.13).
std::uint64_t process_number(const Handle& process);

// Real and saved ids of its first thread; empty if unknown.
struct OtherIds {
    std::uint32_t real_uid, saved_uid, real_gid, saved_gid;
};
std::optional<OtherIds> other_ids(const Handle& process);

// The directory in /proc with the process's memory, descriptors and program. Empty: not visible.
std::string process_directory(const Handle& process);
// The same for /proc/<pid>. That is the directory of its first thread, and it is empty once that
// thread has ended, even if other threads continue.
std::string directory_of_living_thread(std::string process);

// The calling thread's id; for the first thread, the process id.
std::uint32_t current_thread();

// The path of this process's executable; empty if unknown.
std::string own_executable();

// The file that the code or data at `address` was loaded from: a library, or the program. Never a
// relative name, which would lead to another file from another directory; empty if unknown.
std::string file_of_code(const void* address);

// The program `name` that belongs to this library or program: its path in a build or installed
// tree, else the name alone, for the search path.
std::string companion_program(std::string_view name);

// Starts `program` in a new session and the root directory, with /dev/null as its standard files
// and, if valid, `handle` as descriptor kHandedDescriptor. It inherits no other descriptors and no
// blocked signals. Paths in `words` must be absolute; those in our environment are made absolute.
// Returns its process id.
Result<std::int64_t> start_detached(const std::string& program,
                                    const std::vector<std::string>& words, const Handle& handle);
inline constexpr int kHandedDescriptor = 3;

// Raises the soft limit of open files to the hard limit; the default is for programs that use
// select().
void raise_descriptor_limit();

// Sixteen bytes that change at every boot.
Result<std::string> boot_id();

}  // namespace snakepit::shm
