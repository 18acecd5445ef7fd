// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

struct HostMemory {
    std::uint64_t available = 0;  // bytes that can be taken before the kernel has to kill for them
    std::string limited_by;       // "the host", or the control group whose limit is the nearest
};

// What the host has left, or the tightest of the control groups we are in (v2), less a little that
// everybody else needs. `root`: where /proc and /sys are, for tests.
HostMemory host_memory(const std::string& root = {});

// no_space when so many bytes are not to be had. Memory without a name has no file system that
// could be full: asked for too much, the kernel would end some process to find it.
Status check_memory(std::uint64_t bytes, const std::string& root = {});

}  // namespace snakepit::shm
