// SPDX-License-Identifier: MIT
// What `health` asks of the operating system. One source a system, chosen by CMake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace snakepit::shm::cli {

struct DirectoryFacts {
    bool exists = false;
    bool is_directory = false;  // and no link
    bool ours = false;          // owned by our user
    std::uint32_t mode = 0;     // permission bits
    bool in_memory = false;     // its file system keeps nothing on a disk
};
Result<DirectoryFacts> directory_facts(const std::string& path);

struct SpaceFacts {
    std::uint64_t total = 0;  // bytes
    std::uint64_t free = 0;
    bool writable = false;
};
Result<SpaceFacts> space_facts(const std::string& path);

// Names in `directory` that begin with `prefix`, and their sizes in bytes.
struct FileFacts {
    std::string name;
    std::uint64_t bytes = 0;
};
std::vector<FileFacts> files_with_prefix(const std::string& directory, const std::string& prefix);

// Whether the system removes a user's segments when that user logs out, and we are such a user.
bool logout_removes_segments(const std::string& shm_path);

struct Limits {
    std::uint64_t descriptors = 0;          // what a service can raise its limit to
    std::optional<std::uint64_t> mappings;  // a process may have; nothing: no such limit here
};
Limits process_limits();

}  // namespace snakepit::shm::cli
