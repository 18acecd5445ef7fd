// SPDX-License-Identifier: MIT
// Which file system a path leads to, and whether one that was seen once can still exist. A path
// means something else in another mount namespace or behind chroot; these identities do not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

struct FileSystemId {
    std::uint64_t device = 0;  // given out again after the file system's end
    std::uint64_t number = 0;  // its own; random on a tmpfs; 0: the kernel does not say
    bool in_memory = false;    // what is in it ends with it
    friend bool operator==(const FileSystemId&, const FileSystemId&) = default;
};

struct DirectoryId {
    FileSystemId system;
    std::uint64_t inode = 0;
    std::int64_t born = 0;  // nanoseconds; 0: the file system does not say
    friend bool operator==(const DirectoryId&, const DirectoryId&) = default;
};

struct OpenDirectory {
    Handle handle;  // for looking only
    DirectoryId id;
};
// Does not follow a link at the end of the path; region_not_found when nothing is there.
Result<OpenDirectory> open_directory(const std::string& path);

// The beginning of a regular file in `directory`, at most `most` bytes. Never waits.
// region_not_found when nothing has that name.
Result<std::string> read_head(const OpenDirectory& directory, const std::string& name,
                              std::size_t most);

// What all processes have in common for which a path means the same: mount namespace and root.
// Empty: the kernel has no name for the namespace that it never gives out again.
std::string view_of_paths();

// Whether a file system of that device is mounted somewhere in our mount namespace; nothing: not
// known.
std::optional<bool> mounted_here(std::uint64_t device);

// True only when the kernel proves it: the device's number belongs to another file system by now.
bool file_system_gone(const FileSystemId& system);

}  // namespace snakepit::shm
