// SPDX-License-Identifier: MIT
#include "platform/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

namespace snakepit::shm {

Status write_through(const Handle& file, const std::string& path,
                     std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(system_error(errno, fmt::format("cannot write {}", path)));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    if (::fsync(file.get()) != 0)
        return fail(system_error(errno, fmt::format("cannot put {} on the disk", path)));
    return {};
}

Status replace_file(const std::string& path, std::string_view text, unsigned mode) {
    auto fresh = path + ".XXXXXX";
    const Handle file(::mkostemp(fresh.data(), O_CLOEXEC));
    if (!file) return fail(system_error(errno, fmt::format("cannot write beside {}", path)));
    auto status = write_through(file, path, std::as_bytes(std::span(text)));
    if (status && (::fchmod(file.get(), mode) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0))
        status = fail(system_error(errno, fmt::format("cannot replace {}", path)));
    if (!status) ::unlink(fresh.c_str());
    return status;
}

}  // namespace snakepit::shm
