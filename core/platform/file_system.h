// SPDX-License-Identifier: MIT
// Identifies file systems: which one a path is on, and whether a known one can still exist. Unlike
// a path, these identities are valid in every mount namespace and behind chroot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

struct FileSystemId {
    std::uint64_t device = 0;  // reused after the file system's end
    std::uint64_t number = 0;  // its own; random on a tmpfs; 0: unknown
    bool in_memory = false;    // its contents end with it
    friend bool operator==(const FileSystemId&, const FileSystemId&) = default;
};

struct DirectoryId {
    FileSystemId system;
    std::uint64_t inode = 0;
    std::int64_t born = 0;  // nanoseconds; 0: unknown
    friend bool operator==(const DirectoryId&, const DirectoryId&) = default;
};

struct OpenDirectory {
    Handle handle;  // opened with O_PATH
    DirectoryId id;
};
// Does not follow a link at the end of the path; region_not_found if nothing is there.
Result<OpenDirectory> open_directory(const std::string& path);

// Reads at most `most` bytes from the beginning of a regular file in `directory`. Never blocks.
// region_not_found if nothing has that name.
Result<std::string> read_head(const OpenDirectory& directory, const std::string& name,
                              std::size_t most);

// Identifies the mount namespace and root, in which a path has the same meaning. Empty: the kernel
// has no unique id for the namespace.
std::string view_of_paths();

// Whether a file system of that device is mounted in our mount namespace; empty: unknown.
std::optional<bool> mounted_here(std::uint64_t device);

// True only if it is certain, because the device number belongs to another file system now.
bool file_system_gone(const FileSystemId& system);

}  // namespace snakepit::shm
