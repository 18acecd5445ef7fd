// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

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

// Sixteen bytes that change at every boot.
Result<std::string> boot_id();

}  // namespace snakepit::shm
