// SPDX-License-Identifier: MIT
#include "survey/linux/proc_files.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace snakepit::shm::survey {

namespace {

std::uint64_t take_hex(std::string_view& text) {
    std::uint64_t value = 0;
    std::size_t used = 0;
    for (; used < text.size(); ++used) {
        const char c = text[used];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) break;
        value = value << 4 | static_cast<unsigned>(digit);
    }
    text.remove_prefix(used);
    return value;
}

Handle open_below(int at, const char* path, int mode) {
    open_how how{};
    how.flags = static_cast<unsigned>(mode) | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    return Handle(static_cast<int>(::syscall(SYS_openat2, at, path, &how, sizeof how)));
}

Directory as_directory(Handle handle) {
    if (!handle) return nullptr;
    Directory directory(::fdopendir(handle.get()));
    if (directory) (void)handle.release();
    return directory;
}

void take(std::string_view& text, std::size_t count) {
    text.remove_prefix(std::min(count, text.size()));
}

}  // namespace

Directory open_directory(int at, const char* path) {
    return as_directory(
        Handle(::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)));
}

Directory open_directory_below(int at, const char* path) {
    return as_directory(open_below(at, path, O_RDONLY | O_DIRECTORY));
}

Handle open_path_below(int at, const char* path) {
    return open_below(at, path, O_PATH | O_DIRECTORY);
}

Handle open_file_below(int at, const char* path) {
    return open_below(at, path, O_PATH);
}

namespace {

std::optional<std::string> read_all(const Handle& file) {
    if (!file) return std::nullopt;
    std::string out;
    for (std::array<char, 16384> buffer;;) {
        const auto got = ::read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) return out;
        out.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace

std::optional<std::string> read_file(int at, const char* path) {
    return read_all(Handle(::openat(at, path, O_RDONLY | O_CLOEXEC)));
}

std::optional<std::string> read_file_below(int root, const char* path) {
    open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const Handle file(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    return read_all(file);
}

std::string read_link(int at, const char* path) {
    std::array<char, PATH_MAX> text;
    const auto size = ::readlinkat(at, path, text.data(), text.size());
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

std::uint64_t namespace_of(int at, const char* path) {
    std::array<char, 64> text;
    const auto size = ::readlinkat(at, path, text.data(), text.size());
    if (size <= 0) return 0;
    std::string_view name(text.data(), static_cast<std::size_t>(size));
    const auto bracket = name.find('[');
    if (bracket == name.npos) return 0;
    name.remove_prefix(bracket + 1);
    const auto number = take_number(name);
    return number > 0 ? static_cast<std::uint64_t>(number) : 0;
}

std::int64_t take_number(std::string_view& text) {
    const auto start = text.find_first_not_of(" \t");
    if (start == text.npos) return -1;
    text.remove_prefix(start);
    std::int64_t value = -1;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    return result.ec == std::errc() ? value : -1;
}

Timestamp boot_time(int proc, Timestamp now) {
    const auto uptime = read_file(proc, "uptime");
    const double seconds = uptime ? std::strtod(uptime->c_str(), nullptr) : 0;
    return {now.micros - std::llround(seconds * 1e6)};
}

std::int64_t boot_offset(int proc) {
    constexpr std::string_view kClock = "boottime";
    auto file = read_file(proc, "self/timens_offsets");
    const auto line = file ? file->find(kClock) : std::string::npos;
    if (line == std::string::npos) return 0;
    auto* end = file->data() + line + kClock.size();
    const auto seconds = std::strtoll(end, &end, 10);
    return seconds * 1'000'000 + std::strtoll(end, nullptr, 10) / 1000;
}

bool hides_processes(int proc) {
    struct stat info {};
    const auto mounts = read_file(proc, "self/mountinfo");
    if (!mounts || ::fstat(proc, &info) != 0) return true;
    const auto device = fmt::format(" {}:{} / ", major(info.st_dev), minor(info.st_dev));
    std::string_view rest(*mounts);
    bool found = false;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.find(device) == line.npos) continue;
        found = true;
        // Older systems show the number, newer ones the word.
        for (const auto* option :
             {"hidepid=2", "hidepid=4", "hidepid=invisible", "hidepid=ptraceable", "subset=pid"})
            if (line.find(option) != line.npos) return namespace_of(proc, "1/ns/mnt") == 0;
    }
    return !found;
}

bool shows_us(int proc) {
    struct stat info {};
    return ::fstatat(proc, "self/ns", &info, 0) == 0;
}

bool is_gone(int proc, const std::string& home) {
    struct stat info {};
    return ::fstatat(proc, home.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 &&
           (errno == ENOENT || errno == ESRCH);
}

std::int64_t pid_of(const char* name) {
    std::string_view text(name);
    const auto pid = take_number(text);
    return text.empty() ? pid : -1;
}

std::vector<std::uint32_t> numbers_of(std::string_view status, std::string_view key) {
    std::vector<std::uint32_t> out;
    const auto line = status.find(key);
    if (line == status.npos) return out;
    status.remove_prefix(line + key.size());
    status = status.substr(0, status.find('\n'));
    for (auto number = take_number(status); number >= 0; number = take_number(status))
        out.push_back(static_cast<std::uint32_t>(number));
    return out;
}

// "pid (name) state ppid …"; the name may hold anything.
std::optional<Stat> parse_stat(const std::string& text) {
    const auto open = text.find('('), close = text.rfind(')');
    if (open == text.npos || close == text.npos || close + 2 >= text.size()) return std::nullopt;
    Stat out{.name = text.substr(open + 1, close - open - 1), .state = text[close + 2]};
    std::string_view rest(text);
    rest.remove_prefix(close + 3);
    out.parent = take_number(rest);
    for (int field = 5; field < 9; ++field) (void)take_number(rest);
    out.flags = static_cast<std::uint64_t>(std::max<std::int64_t>(0, take_number(rest)));
    for (int field = 10; field < 20; ++field) (void)take_number(rest);
    out.threads = take_number(rest);
    (void)take_number(rest);
    out.started = take_number(rest);
    return out;
}

std::optional<MapLine> parse_map_line(std::string_view line) {
    MapLine out;
    out.begin = take_hex(line);
    take(line, 1);
    out.end = take_hex(line);
    take(line, 6);  // " rw-s "
    out.offset = take_hex(line);
    take(line, 1);
    const auto major_number = take_hex(line);
    take(line, 1);
    const auto minor_number = take_hex(line);
    const auto inode = take_number(line);
    // The first System V segment of a namespace has the id 0, which is its inode.
    if (inode < 0 || (inode == 0 && major_number == 0 && minor_number == 0)) return std::nullopt;
    out.device = makedev(static_cast<unsigned>(major_number), static_cast<unsigned>(minor_number));
    out.inode = static_cast<std::uint64_t>(inode);
    const auto path = line.find_first_not_of(' ');
    if (path != line.npos) out.path = line.substr(path);
    return out;
}

}  // namespace snakepit::shm::survey
