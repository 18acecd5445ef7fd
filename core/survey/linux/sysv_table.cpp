// SPDX-License-Identifier: MIT
#include <algorithm>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"
#include "survey/linux/scan.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::uint32_t kSegmentModeBits = 0777;
constexpr std::uint32_t kRemoved = 01000;  // SHM_DEST

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

std::uint64_t rounded_up(std::uint64_t bytes, std::uint64_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

// Only huge pages use more than the segment's size. Newer kernels count small pages and treat each
// as a huge one.
void count_huge_pages(HostSegment& segment, std::uint64_t huge_page) {
    const auto most = rounded_up(segment.size, huge_page);
    if (segment.resident > most) segment.resident /= huge_page / kPageBytes;
    segment.resident = std::min(segment.resident, most);
}

// key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap
HostSegment parse_row(std::string_view row, std::uint64_t huge_page) {
    HostSegment out;
    out.kind = SegmentKind::system_v;
    out.key = take_number(row);
    const auto id = take_number(row);
    out.inode = static_cast<std::uint64_t>(id);
    const auto mode = take_octal(row);
    out.mode = mode & kSegmentModeBits;
    out.removed = (mode & kRemoved) != 0;
    out.size = static_cast<std::uint64_t>(take_number(row));
    if (const auto creator = take_number(row); creator > 0)
        out.creator = {creator, SegmentCreator::KnownBy::kernel, {}, {}, {}};
    out.last_user = take_number(row);
    out.attached = static_cast<std::uint64_t>(take_number(row));
    out.uid = static_cast<std::uint32_t>(take_number(row));
    out.gid = static_cast<std::uint32_t>(take_number(row));
    out.creator_uid = static_cast<std::uint32_t>(take_number(row));
    out.creator_gid = static_cast<std::uint32_t>(take_number(row));
    const auto attached = take_number(row), detached = take_number(row), changed = take_number(row);
    out.created = {changed * kMicrosPerSecond};
    out.touched = {std::max({attached, detached, changed}) * kMicrosPerSecond};
    const auto resident = take_number(row);  // since Linux 2.6.34
    const auto swapped = take_number(row);
    out.swapped = swapped > 0 ? static_cast<std::uint64_t>(swapped) : 0;
    // As for files: memory in use, including swap.
    out.resident = (resident > 0 ? static_cast<std::uint64_t>(resident) : 0) + out.swapped;
    out.huge_pages = out.resident > rounded_up(out.size, kPageBytes);
    if (out.huge_pages) count_huge_pages(out, huge_page);
    out.name = fmt::format("sysv:{}", id);
    return out;
}

// The usual one.
std::uint64_t huge_page_size(int proc) {
    constexpr std::string_view kLine = "Hugepagesize:";
    constexpr std::uint64_t kUsual = 2 << 20;
    const auto text = read_file(proc, "meminfo");
    const auto at = text ? text->find(kLine) : std::string::npos;
    if (at == std::string::npos) return kUsual;
    std::string_view rest(*text);
    rest.remove_prefix(at + kLine.size());
    const auto kibibytes = take_number(rest);
    return kibibytes > 4 ? static_cast<std::uint64_t>(kibibytes) << 10 : kUsual;
}

}  // namespace

std::vector<HostSegment> parse_system_v(std::string_view text, std::uint64_t huge_page) {
    std::vector<HostSegment> out;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
    while (!text.empty()) {
        text.remove_prefix(1);
        const auto row = text.substr(0, text.find('\n'));
        if (!row.empty()) out.push_back(parse_row(row, huge_page));
        text.remove_prefix(row.size());
    }
    return out;
}

void Scan::list_table(const TablePlace& place) {
    std::optional<std::string> text;
    (void)inside(place, [&] { text = read_file(table_.proc(), "sysvipc/shm"); });
    if (!text) {
        places_.limits.push_back(
            "The System V segments cannot be read: /proc/sysvipc/shm is missing.");
        return;
    }
    for (auto& segment : parse_system_v(*text, huge_page_size(table_.proc()))) {
        const auto id = segment.inode;
        segment.inode = 0;
        segment.label = segment.name;
        if (place.name_space != 0)
            segment.name = fmt::format("@{}:{}", place.name_space, segment.name);
        segment.names = {segment.name};
        segment.name_space = place.name_space;
        segment.container = place.container;
        segment.user = user_name(segment.uid);
        tables_.emplace(SegmentKey{place.name_space, id}, segments_.size());
        segments_.push_back(std::move(segment));
    }
}

}  // namespace snakepit::shm::survey
