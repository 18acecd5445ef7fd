// SPDX-License-Identifier: MIT
#include "platform/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include <fmt/format.h>

#include "platform/fault_guard.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

Result<Mapping> Mapping::map(const Handle& handle, std::size_t size, Access access, bool inherit,
                             std::uint64_t offset) {
    const int protection = access == Access::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
    void* data =
        ::mmap(nullptr, size, protection, MAP_SHARED, handle.get(), static_cast<off_t>(offset));
    if (data == MAP_FAILED)
        return fail(mapping_error(errno, fmt::format("cannot map {} bytes", size), size));
    Mapping mapping;
    mapping.data_ = static_cast<std::byte*>(data);
    mapping.size_ = size;
    if (!inherit) SHM_TRY(mapping.let_inherit(false));
    return mapping;
}

Status Mapping::let_inherit(bool inherit) const {
    if (::madvise(data_, size_, inherit ? MADV_DOFORK : MADV_DONTFORK) == 0) return {};
    return fail(system_error(errno, inherit ? "cannot let a mapping be inherited"
                                            : "cannot prevent a mapping from being inherited"));
}

void Mapping::forbid(std::byte* data, std::size_t size) {
    (void)::mmap(data, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                 0);
}

// mremap with an old size of 0 maps the pages of a shared mapping once more.
Result<Mapping> Mapping::read_only_twin() const {
    void* data = ::mremap(data_, 0, size_, MREMAP_MAYMOVE);
    if (data == MAP_FAILED)
        return fail(mapping_error(errno, fmt::format("cannot map {} bytes again", size_), size_));
    Mapping twin;
    twin.data_ = static_cast<std::byte*>(data);
    twin.size_ = size_;
    SHM_TRY(twin.let_inherit(false));
    if (::mprotect(data, size_, PROT_READ) != 0)
        return fail(system_error(errno, "cannot protect a mapping", ErrorCode::mapping_failed));
    return twin;
}

void Mapping::reset() {
    if (data_) ::munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
}

Result<FileIdentity> identity_of(const Handle& handle) {
    struct stat info {};
    if (::fstat(handle.get(), &info) != 0)
        return fail(system_error(errno, "cannot stat an open file"));
    return FileIdentity{info.st_dev, info.st_ino};
}

Status reserve_pages(const Handle& handle, std::uint64_t offset, std::uint64_t size) {
    // The size stays: a truncated file must not look complete again.
    while (::fallocate(handle.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(size)) != 0) {
        if (errno == EINTR) continue;
        return fail(file_error(errno, fmt::format("cannot reserve {} bytes", size), handle,
                               ErrorCode::no_space));
    }
    return {};
}

Result<std::uint64_t> size_of(const Handle& handle) {
    struct stat info {};
    if (::fstat(handle.get(), &info) != 0)
        return fail(system_error(errno, "cannot read the size of an open file"));
    return static_cast<std::uint64_t>(info.st_size);
}

Status extend_file(const Handle& handle, std::uint64_t& size, std::uint64_t end) {
    SHM_ASSIGN(const auto now, size_of(handle));
    if (now < size)
        return fail(ErrorCode::corruption_detected,
                    fmt::format("a file of {} bytes was cut to {} bytes", size, now));
    if (now < end && ::ftruncate(handle.get(), static_cast<off_t>(end)) != 0)
        return fail(file_error(errno, fmt::format("cannot extend a file to {} bytes", end), handle,
                               ErrorCode::no_space));
    size = std::max(now, end);
    return {};
}

bool take_pages(std::byte* data, std::uint64_t size) {
    constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE: Linux 5.14
    if (::madvise(data, size, kPopulateWrite) == 0) return true;
    if (errno != EINVAL) return false;
    const FaultGuard guard(data, size);
    for (std::uint64_t at = 0; at < size && !guard.faulted(); at += 4096) {
        auto& word = reinterpret_cast<std::atomic<std::uint64_t>&>(data[at]);
        word.fetch_or(0, std::memory_order_relaxed);
    }
    return !guard.faulted();
}

std::vector<DataRange> data_ranges(const Handle& handle, std::uint64_t size, std::uint64_t begin) {
    std::vector<DataRange> out;
    for (auto at = static_cast<off_t>(begin); at < static_cast<off_t>(size);) {
        const auto from = ::lseek(handle.get(), at, SEEK_DATA);
        if (from < 0) break;
        const auto to = std::min(::lseek(handle.get(), from, SEEK_HOLE), static_cast<off_t>(size));
        if (to <= from) break;
        out.push_back({static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to - from)});
        at = to;
    }
    return out;
}

Result<MappedFile> MappedFile::open_or_create(const std::string& path, FileSizes sizes,
                                              bool& created) {
    created = false;
    MappedFile file;
    file.handle_ = Handle(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file.handle_ && errno == ENOENT) {
        file.handle_ =
            Handle(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        created = true;
    }
    if (!file.handle_) return fail(file_error(errno, fmt::format("cannot open {}", path), path));
    struct stat info {};
    if (::fstat(file.handle_.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat {}", path)));
    file.size_ = static_cast<std::uint64_t>(info.st_size);
    // A manager killed between creating and resizing the file leaves an empty one.
    if (file.size_ == 0) {
        created = true;
        if (::ftruncate(file.handle_.get(), static_cast<off_t>(sizes.least)) != 0)
            return fail(file_error(errno, fmt::format("cannot size {}", path), path));
        file.size_ = sizes.least;
    } else if (file.size_ < sizes.least || file.size_ > sizes.most || info.st_uid != ::geteuid() ||
               !S_ISREG(info.st_mode)) {
        return fail(
            ErrorCode::corruption_detected,
            fmt::format("{} has {} bytes and user {}; expected {} to {} bytes and "
                        "user {}",
                        path, info.st_size, info.st_uid, sizes.least, sizes.most, ::geteuid()));
    }
    file.identity_ = {info.st_dev, info.st_ino};
    SHM_ASSIGN(file.mapping_, Mapping::map(file.handle_, sizes.most, Mapping::Access::read_write));
    return file;
}

Result<MappedFile> MappedFile::open_read_only(const std::string& path, FileSizes sizes) {
    MappedFile file;
    // The link of our own descriptor in /proc cannot be changed by others.
    const int links = path.starts_with("/proc/self/fd/") ? 0 : O_NOFOLLOW;
    file.handle_ = Handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC | links));
    if (!file.handle_) {
        if (errno == ENOENT)
            return fail(ErrorCode::no_manager, fmt::format("{} does not exist", path),
                        "start a manager with 'snakepit-shm serve'");
        return fail(system_error(errno, fmt::format("cannot open {}", path)));
    }
    struct stat info {};
    if (::fstat(file.handle_.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat {}", path)));
    file.size_ = static_cast<std::uint64_t>(info.st_size);
    if (file.size_ < sizes.least)
        return fail(
            ErrorCode::corruption_detected,
            fmt::format("{} has {} bytes; expected at least {}", path, file.size_, sizes.least),
            "it may belong to another release, or be under construction; try again");
    file.identity_ = {info.st_dev, info.st_ino};
    SHM_ASSIGN(file.mapping_, Mapping::map(file.handle_, sizes.most, Mapping::Access::read_only));
    return file;
}

Status MappedFile::reserve(std::uint64_t offset, std::uint64_t size) {
    return reserve_pages(handle_, offset, size);
}

bool MappedFile::replaced(const std::string& path) const {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && FileIdentity{info.st_dev, info.st_ino} != identity_;
}

}  // namespace snakepit::shm
