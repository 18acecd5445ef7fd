// SPDX-License-Identifier: MIT
#include "platform/file_state.h"

#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

FileState state_of(const struct stat& info) {
    return {{info.st_dev, info.st_ino},
            static_cast<std::uint64_t>(info.st_size),
            static_cast<std::uint64_t>(info.st_blocks) * 512,
            info.st_nlink};
}

}  // namespace

Result<FileState> file_state(const Handle& handle) {
    struct stat info {};
    if (::fstat(handle.get(), &info) == 0) return state_of(info);
    return fail(system_error(errno, "cannot stat an open file"));
}

Result<FileState> file_state_at(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return state_of(info);
    return fail(system_error(errno, fmt::format("cannot stat {}", path)));
}

bool names_nothing(const Result<FileState>& state) {
    return !state &&
           (state.error().system_error == ENOENT || state.error().system_error == ENOTDIR);
}

}  // namespace snakepit::shm
