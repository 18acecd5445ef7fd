// SPDX-License-Identifier: MIT
// Reads files in /proc, without copying long ones.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "base/time.h"

namespace snakepit::shm::survey {

inline constexpr std::uint64_t kPageBytes = 4096;  // where the kernel counts pages

struct DirectoryCloser {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;
// Null, with errno, if it cannot be opened; links are not followed.
Directory open_directory(int at, const char* path);

// The same for a path with several parts; follows no link and enters no mount in any part.
Directory open_directory_below(int at, const char* path);
// The same with O_PATH.
Handle open_path_below(int at, const char* path);
// The same for a file of any kind.
Handle open_file_below(int at, const char* path);

// The contents of a file; empty, with errno, if it cannot be read.
std::optional<std::string> read_file(int at, const char* path);

// The same for a file below a root, with links as a process with this root would follow them.
std::optional<std::string> read_file_below(int root, const char* path);

// The target of a link; empty if it cannot be read.
std::string read_link(int at, const char* path);
// Of "mnt:[4026531832]"; 0 when it cannot be read.
std::uint64_t namespace_of(int at, const char* path);

// Removes a decimal number from the beginning of `text` and returns it; -1 if there is none.
std::int64_t take_number(std::string_view& text);

// The start time of the system: now minus /proc/uptime, in our time namespace.
Timestamp boot_time(int proc, Timestamp now);
// The offset of that namespace, in microseconds.
std::int64_t boot_offset(int proc);

// True if /proc is mounted with hidepid=2 or more and hides processes from us, or if its mount
// options cannot be read.
bool hides_processes(int proc);

// True if this /proc shows our own process. False if it belongs to a pid namespace that we are not
// in, for example after nsenter into a mount namespace only.
bool shows_us(int proc);

// True only if /proc has no such entry any more. A file that is missing inside the
// directory of a process proves nothing: the directory may be covered by a mount.
bool is_gone(int proc, const std::string& home);

// The number that is all of a directory's name; -1 for other names.
std::int64_t pid_of(const char* name);

// The numbers of a line of a status file: `key` is like "\nUid:".
std::vector<std::uint32_t> numbers_of(std::string_view status, std::string_view key);

// Of a stat file.
struct Stat {
    std::string name;
    char state = '?';
    std::int64_t parent = 0;
    std::uint64_t flags = 0;
    std::int64_t threads = 0;
    std::int64_t started = 0;  // clock ticks since boot
};
std::optional<Stat> parse_stat(const std::string& text);

// One line of /proc/<pid>/maps of a file.
struct MapLine {
    std::uint64_t begin = 0, end = 0, offset = 0;
    std::uint64_t device = 0, inode = 0;
    std::string_view path;
};
// Empty for mappings without a file.
std::optional<MapLine> parse_map_line(std::string_view line);

}  // namespace snakepit::shm::survey
