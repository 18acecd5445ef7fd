// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// What the file system says of a file now.
struct FileState {
    FileIdentity identity;
    std::uint64_t size = 0;       // bytes
    std::uint64_t allocated = 0;  // bytes of memory or disk it takes
    std::uint64_t links = 0;      // names; 0: removed, and kept by those who have it open
};

Result<FileState> file_state(const Handle& handle);
// Of what the path names, a link itself included. `Error::system_error` is ENOENT if nothing.
Result<FileState> file_state_at(const std::string& path);

// True only if the system says that nothing has this name.
bool names_nothing(const Result<FileState>& state);

}  // namespace snakepit::shm
