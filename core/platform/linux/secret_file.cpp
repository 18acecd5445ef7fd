// SPDX-License-Identifier: MIT
#include "platform/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/handle.h"
#include "platform/replace_file.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

tl::unexpected<Error> unfit(const std::string& path, std::string_view why) {
    return fail(ErrorCode::security_violation, fmt::format("{} {}", path, why),
                "put the right file there, owned by the service's user, with mode 0600");
}

}  // namespace

Result<bool> read_secret_file(const std::string& path, std::span<std::byte> out) {
    const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && errno == ENOENT) return false;
    if (!file && errno == ELOOP) return unfit(path, "is a symbolic link");
    if (!file) return fail(system_error(errno, fmt::format("cannot open {}", path)));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat {}", path)));
    if (!S_ISREG(info.st_mode)) return unfit(path, "is not a regular file");
    const bool ours = info.st_uid == ::geteuid();
    if (!ours && info.st_uid != 0) return unfit(path, "belongs to another user");
    // Read access granted by an access control list appears in the group bits.
    const mode_t others = ours ? S_IRWXG | S_IRWXO : S_IWGRP | S_IRWXO;
    if ((info.st_mode & others) != 0) return unfit(path, "can be read by other users");
    if (info.st_size != static_cast<off_t>(out.size()))
        return unfit(path, fmt::format("has {} bytes, not {}", info.st_size, out.size()));
    for (std::size_t done = 0; done < out.size();) {
        const auto got = ::read(file.get(), out.data() + done, out.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(system_error(errno, fmt::format("cannot read {}", path)));
        if (got == 0) return unfit(path, "is truncated");
        done += static_cast<std::size_t>(got);
    }
    return true;
}

Result<bool> create_secret_file(const std::string& path, std::span<const std::byte> bytes) {
    auto temporary = path + ".XXXXXX";
    const Handle file(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
    if (!file) return fail(file_error(errno, fmt::format("cannot create {}", path), path));
    auto status = write_through(file, path, bytes);
    bool made = false;
    if (status) {
        made = ::link(temporary.c_str(), path.c_str()) == 0;  // never replaces another file
        if (!made && errno != EEXIST)
            status = fail(file_error(errno, fmt::format("cannot create {}", path), path));
    }
    ::unlink(temporary.c_str());
    if (!status) return fail(std::move(status).error());
    const Handle directory(
        ::open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (made && (!directory || ::fsync(directory.get()) != 0))
        return fail(system_error(errno, fmt::format("cannot sync {} to disk", path)));
    return made;
}

}  // namespace snakepit::shm
