// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "survey/linux/proc_files.h"
#include "survey/linux/scan.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::int64_t kSecond = 1'000'000;  // microseconds
constexpr std::uint32_t kModeBits = 0777;

std::uint32_t take_octal(std::string_view& text) {
    std::uint32_t value = 0;
    const auto start = text.find_first_not_of(' ');
    if (start == text.npos) return 0;
    text.remove_prefix(start);
    while (!text.empty() && text.front() >= '0' && text.front() <= '7') {
        value = value << 3 | static_cast<std::uint32_t>(text.front() - '0');
        text.remove_prefix(1);
    }
    return value;
}

// key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap
HostSegment parse_row(std::string_view row) {
    HostSegment out;
    out.kind = SegmentKind::system_v;
    out.key = take_number(row);
    const auto id = take_number(row);
    out.inode = static_cast<std::uint64_t>(id);
    out.mode = take_octal(row) & kModeBits;
    out.size = static_cast<std::uint64_t>(take_number(row));
    out.creator = take_number(row);
    out.last_user = take_number(row);
    out.attached = static_cast<std::uint64_t>(take_number(row));
    out.uid = static_cast<std::uint32_t>(take_number(row));
    for (int skipped = 0; skipped < 3; ++skipped) (void)take_number(row);
    const auto attached = take_number(row), detached = take_number(row), changed = take_number(row);
    out.created = {changed * kSecond};
    out.touched = {std::max({attached, detached, changed}) * kSecond};
    const auto resident = take_number(row);  // since Linux 2.6.34
    out.resident = resident > 0 ? static_cast<std::uint64_t>(resident) : 0;
    out.name = fmt::format("sysv:{}", id);
    return out;
}

}  // namespace

std::vector<HostSegment> parse_system_v(std::string_view text) {
    std::vector<HostSegment> out;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
    while (!text.empty()) {
        text.remove_prefix(1);
        const auto row = text.substr(0, text.find('\n'));
        if (!row.empty()) out.push_back(parse_row(row));
        text.remove_prefix(row.size());
    }
    return out;
}

void Scan::list_table(const TablePlace& place) {
    std::optional<std::string> text;
    (void)inside(place, [&] { text = read_file(table_.proc(), "sysvipc/shm"); });
    if (!text) {
        places_.limits.push_back(
            "the System V segments cannot be read: /proc/sysvipc/shm is not "
            "there");
        return;
    }
    for (auto& segment : parse_system_v(*text)) {
        const auto id = segment.inode;
        segment.inode = 0;
        segment.label = segment.name;
        if (place.name_space != 0)
            segment.name = fmt::format("@{}:{}", place.name_space, segment.name);
        segment.name_space = place.name_space;
        segment.container = place.container;
        segment.user = user_name(segment.uid);
        tables_.emplace(SegmentKey{place.name_space, id}, segments_.size());
        segments_.push_back(std::move(segment));
    }
}

}  // namespace snakepit::shm::survey
