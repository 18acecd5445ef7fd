// SPDX-License-Identifier: MIT
// Files that the kernel uses although no process has them open: loop devices and swap.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snakepit::shm::survey {

struct KernelUser {
    std::string label;                    // "loop3", "swap"
    std::uint64_t device = 0, inode = 0;  // of its file; 0: could not be determined
    std::string path;                     // as the kernel shows it
};

// `proc`: an open directory /proc.
std::vector<KernelUser> kernel_users(int proc);

// Lines of /proc/swaps.
std::vector<KernelUser> parse_swaps(std::string_view text);

}  // namespace snakepit::shm::survey
