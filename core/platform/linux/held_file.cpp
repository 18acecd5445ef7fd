// SPDX-License-Identifier: MIT
#include "platform/held_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMostFiles = 4096;  // of one user and prefix; more are ignored
constexpr int kSafely = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

struct flock whole_file(short type) {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    return range;
}

struct DirectoryCloser {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

SmallFile look_at(int directory, const char* name) {
    SmallFile out{.name = name};
    const Handle file(::openat(directory, name, O_RDONLY | kSafely));
    auto range = whole_file(F_WRLCK);
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
        ::fcntl(file.get(), F_OFD_GETLK, &range) != 0)
        return out;
    out.held = range.l_type != F_UNLCK;
    out.text.resize(kMostText);
    const auto got = ::pread(file.get(), out.text.data(), out.text.size(), 0);
    out.readable = got >= 0;
    out.text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return out;
}

}  // namespace

std::optional<HeldFile> HeldFile::lock(const Handle& file, const std::string& directory,
                                       const std::string& name) {
    auto range = whole_file(F_WRLCK);
    if (::fcntl(file.get(), F_OFD_SETLK, &range) != 0) return std::nullopt;
    const auto identity = identity_of(file);
    auto mapping = Mapping::map(file, kPage, Mapping::Access::read_only);
    if (!identity || !mapping) return std::nullopt;
    HeldFile out;
    out.directory_ = directory;
    out.name_ = name;
    out.identity_ = *identity;
    out.mapping_ = std::move(*mapping);
    // Processes lock a file before removing it, so a name that exists now stays.
    if (!out.named()) return std::nullopt;
    return out;
}

Result<HeldFile> HeldFile::create(const std::string& directory, const std::string& name) {
    const auto path = directory + "/" + name;
    const Handle file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | kSafely, 0600));
    if (!file || ::fchmod(file.get(), 0600) != 0)
        return fail(file_error(errno, fmt::format("cannot create {}", path), path));
    if (auto held = lock(file, directory, name)) return std::move(*held);
    ::unlink(path.c_str());
    return fail(ErrorCode::platform_error, fmt::format("cannot lock {}", path));
}

std::optional<HeldFile> HeldFile::take(const std::string& directory, const std::string& name) {
    const Handle file(::open((directory + "/" + name).c_str(), O_RDWR | kSafely));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
        info.st_uid != ::geteuid())
        return std::nullopt;
    return lock(file, directory, name);
}

bool HeldFile::named() const {
    struct stat info {};
    return ::lstat(path().c_str(), &info) == 0 &&
           FileIdentity{info.st_dev, info.st_ino} == identity_;
}

Status HeldFile::write(std::string_view text) const {
    const Handle file(::open(path().c_str(), O_RDWR | kSafely));
    if (!file) return fail(system_error(errno, fmt::format("cannot open {}", path())));
    SHM_ASSIGN(const auto identity, identity_of(file));
    if (identity != identity_)
        return fail(ErrorCode::security_violation, fmt::format("{} was replaced", path()));
    if (::ftruncate(file.get(), 0) != 0 ||
        ::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        auto error = file_error(errno, fmt::format("cannot write {}", path()), path());
        (void)::ftruncate(file.get(), 0);
        return fail(std::move(error));
    }
    return {};
}

void HeldFile::remove() {
    if (valid() && named()) ::unlink(path().c_str());
    mapping_.reset();
}

SmallFiles list_small_files(const std::string& directory, const std::string& prefix,
                            std::uint32_t uid) {
    SmallFiles out;
    const std::unique_ptr<DIR, DirectoryCloser> listing(::opendir(directory.c_str()));
    if (!listing) return {.files = {}, .complete = false};
    const int number = ::dirfd(listing.get());
    for (errno = 0; const auto* entry = ::readdir(listing.get()); errno = 0) {
        struct stat info {};
        if (!std::string_view(entry->d_name).starts_with(prefix) ||
            ::fstatat(number, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(info.st_mode) || info.st_uid != uid)
            continue;
        if (out.files.size() == kMostFiles) {
            out.complete = false;
            return out;
        }
        out.files.push_back(look_at(number, entry->d_name));
    }
    out.complete = errno == 0;
    return out;
}

}  // namespace snakepit::shm
