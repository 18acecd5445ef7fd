// SPDX-License-Identifier: MIT
#include "base/make_directory.h"

#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

namespace snakepit::shm {

Status make_directory(const std::string& path, std::uint32_t mode) {
    if (::mkdir(path.c_str(), mode) != 0) {
        if (errno == EEXIST) return {};
        return fail(system_error(errno, fmt::format("cannot create {}", path)));
    }
    if (::chmod(path.c_str(), mode) != 0)
        return fail(system_error(errno, fmt::format("cannot change the mode of {}", path)));
    return {};
}

Status make_parents(const std::string& path, std::uint32_t mode) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        auto made = make_directory(path.substr(0, at), mode);
        if (!made && made.error().system_error != EROFS && made.error().system_error != EACCES)
            return made;
    }
    return {};
}

}  // namespace snakepit::shm
