// SPDX-License-Identifier: MIT
#include "platform/replace_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "base/ids.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

constexpr int kMostLinks = 40;  // as the kernel
constexpr std::size_t kCopiedAtOnce = 64 * 1024;

// The remedies of system_error() are about regions and instances.
Error output_error(int number, const std::string& path) {
    auto error = file_error(number, fmt::format("{} was not written", path), path);
    if (number == EDQUOT)
        error.remedy += ", or write to another path";
    else if (number == EFBIG)
        error.remedy = "a file may not become so large (ulimit -f); raise the limit";
    else if (number == ENOSPC)
        error.remedy = "free space on its file system, or write to another path";
    else if (number == EACCES || number == EPERM || number == EROFS)
        error.remedy = "make its directory writable: the file is replaced there";
    else
        error.remedy = "write to another path";
    return error;
}

tl::unexpected<Error> refused(const std::string& path, std::string_view what) {
    return fail(ErrorCode::platform_error, fmt::format("{} is {}, not a regular file", path, what),
                "choose another path; '-o -' writes to standard output");
}

tl::unexpected<Error> stranger(const std::string& path, std::string_view what) {
    return fail(ErrorCode::security_violation,
                fmt::format("{} is {} of another user in a directory that all users can write to",
                            path, what),
                "choose a directory of your own");
}

std::string_view kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

// Like fs.protected_symlinks and fs.protected_regular.
bool strangers(const struct stat& entry, const struct stat& directory) {
    const bool shared = (directory.st_mode & S_ISVTX) != 0 && (directory.st_mode & S_IWOTH) != 0;
    return shared && entry.st_uid != ::geteuid() && entry.st_uid != directory.st_uid;
}

// Components in front of those that are still to be walked.
void prepend(std::deque<std::string>& parts, std::string_view path) {
    std::deque<std::string> fresh;
    while (!path.empty()) {
        const auto slash = std::min(path.find('/'), path.size());
        if (slash > 0) fresh.emplace_back(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    parts.insert(parts.begin(), fresh.begin(), fresh.end());
}

Result<std::string> read_link(int directory, const std::string& name, const std::string& path) {
    std::string out(4096, '\0');
    const auto size = ::readlinkat(directory, name.c_str(), out.data(), out.size());
    if (size < 0) return fail(output_error(errno, path));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

Result<Handle> open_directory(int from, const char* name, const std::string& path) {
    Handle out(::openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!out) return fail(output_error(errno, path));
    return out;
}

struct Target {
    Handle directory;
    std::string name;
    bool there = false;
};

// Walks the path manually: each link is checked before it is followed, and open directories ensure
// that the checked ones are used.
Result<Target> find_target(const std::string& path) {
    const auto start = [&](std::string_view of) {
        return open_directory(AT_FDCWD, of.starts_with('/') ? "/" : ".", path);
    };
    SHM_ASSIGN(auto directory, start(path));
    std::deque<std::string> parts;
    prepend(parts, path);
    if (parts.empty() || path.ends_with('/')) return refused(path, kind_of(S_IFDIR));
    for (int links = 0; links <= kMostLinks;) {
        const auto name = std::move(parts.front());
        parts.pop_front();
        struct stat above {
        }, entry{};
        if (::fstat(directory.get(), &above) != 0) return fail(output_error(errno, path));
        if (::fstatat(directory.get(), name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT || !parts.empty()) return fail(output_error(errno, path));
            return Target{std::move(directory), name, false};
        }
        if (S_ISLNK(entry.st_mode)) {
            struct statfs system {};
            if (parts.empty() && ::fstatfs(directory.get(), &system) == 0 &&
                system.f_type == PROC_SUPER_MAGIC)
                return refused(path, "a descriptor");
            if (strangers(entry, above)) return stranger(path, "a link");
            const bool last = parts.empty();
            SHM_ASSIGN(const auto to, read_link(directory.get(), name, path));
            if (to.starts_with('/')) {
                SHM_ASSIGN(directory, start(to));
            }
            prepend(parts, to);
            if (parts.empty() || (last && to.ends_with('/')))
                return refused(path, kind_of(S_IFDIR));
            ++links;
        } else if (!parts.empty()) {
            SHM_ASSIGN(directory, open_directory(directory.get(), name.c_str(), path));
        } else if (!S_ISREG(entry.st_mode)) {
            return refused(path, kind_of(entry.st_mode));
        } else if (strangers(entry, above)) {
            return stranger(path, "a file");
        } else {
            return Target{std::move(directory), name, true};
        }
    }
    return fail(output_error(ELOOP, path));
}

Status write_all(int file, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const auto written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) {  // standard output may be shared with other processes
            pollfd room{file, POLLOUT, 0};
            (void)::poll(&room, 1, -1);
            continue;
        }
        if (written < 0) return fail(output_error(errno, path));
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

std::string name_beside() {
    return fmt::format(".snakepit-{:016x}.part", random_u64());
}

}  // namespace

Status write_through(const Handle& file, const std::string& path,
                     std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(file_error(errno, fmt::format("cannot write {}", path), path));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    if (::fsync(file.get()) != 0)
        return fail(system_error(errno, fmt::format("cannot sync {} to disk", path)));
    return {};
}

tl::unexpected<Error> OutputFile::failed(int number) const {
    return fail(output_error(number, path_));
}

Result<OutputFile> OutputFile::begin(const std::string& path, OutputOptions options) {
    OutputFile out;
    out.path_ = path == "-" ? "standard output" : path;
    out.options_ = options;
    if (path == "-") return out;
    if (path.empty())
        return fail(ErrorCode::invalid_argument, "the name of the file to write is empty",
                    "give a file name");
    SHM_ASSIGN(auto target, find_target(path));
    out.directory_ = std::move(target.directory);
    out.name_ = std::move(target.name);
    out.there_ = target.there;
    SHM_TRY(out.check_target());
    // The new file cannot be read before it has the mode of the one it replaces.
    SHM_TRY(out.open_beside(out.there_ ? 0600 : options.mode));
    return out;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      options_(other.options_),
      directory_(std::move(other.directory_)),
      name_(std::move(other.name_)),
      file_(std::move(other.file_)),
      beside_(std::exchange(other.beside_, {})),
      there_(other.there_) {}

OutputFile::~OutputFile() {
    if (!beside_.empty()) ::unlinkat(directory_.get(), beside_.c_str(), 0);
}

Status OutputFile::open_beside(unsigned mode) {
    file_ = Handle(::openat(directory_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (file_) return {};
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
        return failed(errno);
    auto name = name_beside();
    file_ = Handle(::openat(directory_.get(), name.c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file_) return failed(errno);
    beside_ = std::move(name);
    return {};
}

Status OutputFile::write(std::string_view bytes) {
    return write_all(is_standard_output() ? STDOUT_FILENO : file_.get(), bytes, path_);
}

// Checked again before the commit: another process may have created the target meanwhile.
Status OutputFile::check_target() {
    struct stat info {};
    there_ = ::fstatat(directory_.get(), name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there_ && errno != ENOENT) return failed(errno);
    if (there_ && S_ISLNK(info.st_mode)) return refused(path_, "a symbolic link now");
    if (there_ && !S_ISREG(info.st_mode)) return refused(path_, kind_of(info.st_mode));
    if (there_ && !options_.replace)
        return fail(ErrorCode::platform_error, path_ + " exists already",
                    "choose another name, or replace it with --force");
    return {};
}

Status OutputFile::keep_attributes() {
    struct stat old {
    }, fresh{};
    if (there_ && ::fstatat(directory_.get(), name_.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0)
        return failed(errno);
    if (::fstat(file_.get(), &fresh) != 0) return failed(errno);
    if (there_ && (old.st_uid != fresh.st_uid || old.st_gid != fresh.st_gid) &&
        ::fchown(file_.get(), old.st_uid, old.st_gid) != 0 && !options_.exact)
        return failed(errno);
    if (!there_ && !options_.exact) return {};
    const auto mode = options_.exact ? options_.mode : old.st_mode & 0777U;
    return ::fchmod(file_.get(), mode) == 0 ? Status() : failed(errno);
}

// Gives the file the target's name, but never replaces a file created meanwhile.
Status OutputFile::publish() {
    const int directory = directory_.get();
    if (beside_.empty()) {
        const auto self = fmt::format("/proc/self/fd/{}", file_.get());
        auto name = there_ ? name_beside() : name_;
        if (::linkat(AT_FDCWD, self.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
            return failed(errno);
        if (!there_) return {};
        beside_ = std::move(name);
    } else if (!there_ && ::linkat(directory, beside_.c_str(), directory, name_.c_str(), 0) == 0) {
        return {};  // the temporary name is removed with this object
    }
    // Also for a new name where the file system has no hard links.
    const unsigned flags = there_ ? 0 : RENAME_NOREPLACE;
    if (::renameat2(directory, beside_.c_str(), directory, name_.c_str(), flags) != 0)
        return failed(errno);
    beside_.clear();
    return {};
}

Status OutputFile::commit() {
    if (is_standard_output()) return {};
    SHM_TRY(check_target());
    SHM_TRY(keep_attributes());
    if (::fsync(file_.get()) != 0) return failed(errno);
    SHM_TRY(publish());
    // Our own files are rewritten often; after a power failure the old version is sufficient.
    if (options_.exact) return {};
    const Handle directory(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) (void)::fsync(directory.get());
    return {};
}

Status write_output(const std::string& path, std::string_view bytes, OutputOptions options) {
    SHM_ASSIGN(auto file, OutputFile::begin(path, options));
    SHM_TRY(file.write(bytes));
    return file.commit();
}

Status replace_file(const std::string& path, std::string_view text, unsigned mode) {
    return write_output(path, text, {.replace = true, .mode = mode, .exact = true});
}

void occupy_standard_streams() {
    // open() returns the lowest free number, so they are filled in order.
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(number, F_GETFD) < 0)
            (void)!::open("/dev/null", (number == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

void remove_output(const std::string& path) {
    const auto target = find_target(path);
    if (target && target->there) ::unlinkat(target->directory.get(), target->name.c_str(), 0);
}

OutputStream::OutputStream(OutputFile& file, std::function<bool(std::size_t)> go_on)
    : file_(file), go_on_(std::move(go_on)), buffer_(kCopiedAtOnce, '\0') {
    setp(buffer_.data(), buffer_.data() + buffer_.size());
}

bool OutputStream::flush() {
    const auto size = static_cast<std::size_t>(pptr() - pbase());
    if (!status_ || size == 0) return status_.has_value();
    if (go_on_ && !go_on_(size))
        status_ = fail(ErrorCode::timeout, "writing was cancelled");
    else
        status_ = file_.write({pbase(), size});
    setp(buffer_.data(), buffer_.data() + buffer_.size());
    return status_.has_value();
}

OutputStream::int_type OutputStream::overflow(int_type c) {
    if (!flush()) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) {
        *pptr() = traits_type::to_char_type(c);
        pbump(1);
    }
    return traits_type::not_eof(c);
}

Status OutputStream::finish() {
    (void)flush();
    return status_;
}

}  // namespace snakepit::shm
