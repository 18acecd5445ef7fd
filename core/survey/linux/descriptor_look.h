// SPDX-License-Identifier: MIT
// The contents of a descriptor table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "survey/linux/process_table.h"

struct statx;

namespace snakepit::shm::survey {

inline constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;  // bytes of a file in /proc

inline bool contains(const std::vector<std::uint64_t>& devices, std::uint64_t device) {
    return std::find(devices.begin(), devices.end(), device) != devices.end();
}

// A process, or one of its threads.
struct ProcessDirectory {
    const Process& process;
    Handle home;              // its directory under /proc
    std::int64_t thread = 0;  // 0: the process
};

class DescriptorLook {
  public:
    // All of them outlive it.
    DescriptorLook(int proc, const LookOptions& options, const TellSighting& tell,
                   LookResult& result);

    // False: not allowed to.
    bool at(const ProcessDirectory& who);

  private:
    void look_at(const ProcessDirectory& who, int directory, const char* name);
    void look_at_file(const ProcessDirectory& who, const char* name, const struct statx& info);
    void look_into_socket(const ProcessDirectory& who, const char* name, std::uint64_t inode);
    void look_into_ring(const ProcessDirectory& who, int directory, const char* name);

    int proc_;
    const LookOptions& options_;
    const TellSighting& tell_;
    LookResult& result_;
    std::uint64_t namespaces_ = 0;  // their device
    std::uint64_t asked_ = 0;
    std::unordered_set<std::uint64_t> sockets_;  // inodes of those asked
    std::string buffer_;
};

}  // namespace snakepit::shm::survey
