// SPDX-License-Identifier: MIT
// Reads what /proc says, without a copy where there are many lines.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/time.h"

namespace snakepit::shm::survey {

struct DirectoryCloser {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;
// Null, with errno, when it cannot be opened; no link is followed.
Directory open_directory(int at, const char* path);

// The same for a path of several parts: of no part a link is followed, and no mount entered.
Directory open_directory_below(int at, const char* path);
// The same, not for reading.
Handle open_path_below(int at, const char* path);

// Everything in a file; nothing, with errno, when it cannot be read.
std::optional<std::string> read_file(int at, const char* path);

// Where a link leads, as text; empty when it cannot be read.
std::string read_link(int at, const char* path);
// Of "mnt:[4026531832]"; 0 when it cannot be read.
std::uint64_t namespace_of(int at, const char* path);

// A decimal number at the beginning of `text`, taken off it; -1 when there is none.
std::int64_t take_number(std::string_view& text);

// When the system started: now less /proc/uptime, as our time namespace shows it.
Timestamp boot_time(int proc, Timestamp now);
// What that namespace adds to it, in microseconds.
std::int64_t boot_offset(int proc);

// Whether /proc is mounted so that it shows a process only to those who may look at it (hidepid=2
// and more), and we may not look at all.
bool hides_processes(int proc);

// One line of /proc/<pid>/maps of a file.
struct MapLine {
    std::uint64_t begin = 0, end = 0, offset = 0;
    std::uint64_t device = 0, inode = 0;
    std::string_view path;
};
// Nothing for what is no file's.
std::optional<MapLine> parse_map_line(std::string_view line);

}  // namespace snakepit::shm::survey
