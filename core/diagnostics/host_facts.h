// SPDX-License-Identifier: MIT
// Facts about the operating system, for the checks and the bundle. One source a system, chosen by
// CMake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

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
    std::uint64_t files_total = 0, files_free = 0;  // inodes; 0 and 0: not limited
};
Result<SpaceFacts> space_facts(const std::string& path);

struct FileFacts {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint32_t uid = 0;
    std::uint32_t mode = 0;  // permission bits
    bool regular = false;    // a file, and no link
    FileIdentity identity;
};
// Empty if the file does not exist.
std::optional<FileFacts> file_facts(const std::string& path);
// The files in `directory` whose names begin with `prefix`.
std::vector<FileFacts> files_with_prefix(const std::string& directory, const std::string& prefix);

// Whether the system removes this user's segments at logout.
bool logout_removes_segments(const std::string& shm_path);
// The setting of the system's login manager for that. `root`: prefix of the paths, for tests.
bool logind_removes_ipc(const std::string& root = {});

struct Limits {
    std::uint64_t descriptors = 0;          // a service can raise its limit to this
    std::optional<std::uint64_t> mappings;  // of a process; empty: not limited
    std::uint64_t locked_memory = 0;        // bytes; all ones: no limit
};
Limits process_limits();

// The host that a bundle was made on.
struct HostFacts {
    std::string name, kernel, architecture, distribution;
    std::uint32_t processors = 0;
    std::uint64_t memory_total = 0, memory_available = 0;  // bytes
    std::int64_t up_seconds = 0;
    std::uint32_t user = 0;
};
HostFacts host_facts();

// The file system a path lies on.
struct MountFacts {
    std::string point, type, options;
};
std::optional<MountFacts> mount_of(const std::string& path);

}  // namespace snakepit::shm
