// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The current attributes of a file.
struct FileState {
    FileIdentity identity;
    std::uint64_t size = 0;       // bytes
    std::uint64_t allocated = 0;  // bytes of memory or disk in use
    std::uint64_t links = 0;      // number of names; 0: removed, but still open in a process
};

Result<FileState> file_state(const Handle& handle);
// Attributes of `path`; does not follow a link. `Error::system_error` is ENOENT if nothing has this
// name.
Result<FileState> file_state_at(const std::string& path);

// True only if the error means that nothing has this name.
bool names_nothing(const Result<FileState>& state);

}  // namespace snakepit::shm
