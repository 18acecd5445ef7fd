// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// A pid alone is reused; with its start time it names one process for as long as the host is up.
struct ProcessInfo {
    std::int64_t pid = 0;
    std::int64_t start_time = 0;  // clock ticks since boot
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool zombie = false;
    std::string name;  // at most 15 bytes, as the kernel keeps it
};

// platform_error when there is no such process.
Result<ProcessInfo> inspect_process(std::int64_t pid);

// A handle that becomes readable when the process has exited (also if nobody reaps it).
Result<Handle> watch_process(std::int64_t pid);

// The calling thread's number, as the system counts threads; of its first thread, the process id.
std::uint32_t current_thread();

// The file this process runs, however it was started; empty if the system does not tell.
std::string own_executable();

// The command line program that belongs to this library or program: beside it in a build or an
// installed tree, else a name for the search path.
std::string companion_program();

// Starts `program` in a session of its own with /dev/null as its standard files and, if it is
// valid, `handle` as descriptor kHandedDescriptor; it inherits no other and no blocked signals. Its
// process id.
Result<std::int64_t> start_detached(const std::string& program,
                                    const std::vector<std::string>& words, const Handle& handle);
inline constexpr int kHandedDescriptor = 3;

// Raises the limit of open files as far as we may: the soft one is made for programs that use
// select().
void raise_descriptor_limit();

// Sixteen bytes that change at every boot.
Result<std::string> boot_id();

}  // namespace snakepit::shm
