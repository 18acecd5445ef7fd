// SPDX-License-Identifier: MIT
#include "platform/resource_error.h"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kSpare = 2;  // additional mappings that a new one may need

std::string file_system_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

void say_what_is_missing(Error& error, const struct statfs& space, const std::string& where) {
    const auto unit = static_cast<std::uint64_t>(space.f_bsize);
    const bool memory = space.f_type == TMPFS_MAGIC;
    if (space.f_files != 0 && space.f_ffree == 0) {
        error.message += fmt::format(" ({} has 0 of {} inodes free, so it takes no new file)",
                                     where, space.f_files);
        error.remedy = memory ? "remove files there, or raise nr_inodes of the file system"
                              : "remove files there, or use another directory";
        return;
    }
    if (space.f_blocks == 0) return;  // it has no size
    error.message +=
        fmt::format(" ({} has {} free of {})", where, format_size(space.f_bavail * unit),
                    format_size(space.f_blocks * unit));
    if (memory)
        error.remedy =
            "'snakepit-shm host' shows what uses it; free space, enlarge the file system, or "
            "request less";
}

template <typename Look>
Error with_space(int number, std::string_view what, ErrorCode fallback, const std::string& where,
                 const Look& look) {
    auto error = system_error(number, what, fallback);
    struct statfs space {};
    if (number == ENOSPC && look(space)) say_what_is_missing(error, space, where);
    if (number == ENOMEM) {
        error.code = fallback == ErrorCode::platform_error ? ErrorCode::no_space : fallback;
        error.remedy =
            "the host, or the control group of this process, is out of memory; stop programs that "
            "use memory, or raise the limit";
    }
    return error;
}

std::uint64_t lines_of(const char* path) {
    std::ifstream file(path);
    return static_cast<std::uint64_t>(
        std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

std::optional<std::uint64_t> number_in(const char* path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    if (!(file >> value)) return std::nullopt;
    return value;
}

// Bytes mapped by this process.
std::uint64_t address_space() {
    return number_in("/proc/self/statm").value_or(0) *
           static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string remedy_for_mapping(std::uint64_t size) {
    const auto most = number_in("/proc/sys/vm/max_map_count");
    const auto mappings = lines_of("/proc/self/maps");
    if (most && mappings + kSpare >= *most)
        return fmt::format(
            "this process has {} mappings, the limit is {}; unmap regions, or raise "
            "vm.max_map_count",
            mappings, *most);
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        address_space() + size > limit.rlim_cur)
        return fmt::format(
            "the address space of this process is limited to {}; unmap regions, or "
            "raise the limit (ulimit -v)",
            format_size(limit.rlim_cur));
    return "the system is out of memory; stop programs that use memory, or request less";
}

}  // namespace

Error file_error(int number, std::string_view what, const std::string& path, ErrorCode fallback) {
    const auto directory = file_system_of(path);
    return with_space(number, what, fallback, directory, [&](struct statfs& space) {
        return ::statfs(directory.c_str(), &space) == 0;
    });
}

Error file_error(int number, std::string_view what, const Handle& file, ErrorCode fallback) {
    return with_space(number, what, fallback, "its file system",
                      [&](struct statfs& space) { return ::fstatfs(file.get(), &space) == 0; });
}

Error mapping_error(int number, std::string_view what, std::uint64_t size) {
    auto error = system_error(number, what, ErrorCode::mapping_failed);
    if (number == ENOMEM) error.remedy = remedy_for_mapping(size);
    if (number == EAGAIN)
        error.remedy = "the limit on locked memory is reached; raise it (ulimit -l)";
    if (number == EPERM)
        error.remedy = "the memory is sealed, or this process may not map it like this";
    return error;
}

Error process_error(int number, std::string_view what) {
    auto error = system_error(number, what);
    if (number == EAGAIN)
        error.remedy =
            "the process limit of the user (ulimit -u), the control group (pids.max) or the system "
            "(kernel.threads-max) is reached";
    if (number == ENOMEM)
        error.remedy =
            "the system has no memory for another process; stop programs that use memory";
    return error;
}

}  // namespace snakepit::shm
