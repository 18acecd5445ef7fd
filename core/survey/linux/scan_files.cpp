// SPDX-License-Identifier: MIT
// The files in a directory of segments, and one directory below it.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"
#include "survey/linux/scan.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::uint64_t kBlock = 512;  // bytes, whatever the file system's own are
constexpr std::uint32_t kModeBits = 07777;

Timestamp time_of(const statx_timestamp& time) {
    return {time.tv_sec * 1'000'000 + time.tv_nsec / 1000};
}

// Names that would read like those of other kinds get "./" in front.
bool ambiguous(std::string_view name) {
    constexpr std::array<std::string_view, 5> kOthers{"sysv:", "memfd:", "unlinked:", "@", "./"};
    return std::any_of(kOthers.begin(), kOthers.end(),
                       [name](std::string_view other) { return name.starts_with(other); });
}

}  // namespace

void describe_file(HostSegment& segment, const struct statx& info) {
    segment.size = info.stx_size;
    segment.resident = info.stx_blocks * kBlock;
    segment.uid = info.stx_uid;
    segment.mode = info.stx_mode & kModeBits;
    segment.device = makedev(info.stx_dev_major, info.stx_dev_minor);
    segment.inode = info.stx_ino;
    segment.unlinked = segment.kind == SegmentKind::posix && info.stx_nlink == 0;
    if ((info.stx_mask & STATX_BTIME) != 0) segment.created = time_of(info.stx_btime);
    segment.touched =
        std::max({time_of(info.stx_atime), time_of(info.stx_mtime), time_of(info.stx_ctime)});
}

void Scan::add_file(const FilePlace& place, std::string name, const struct statx& info) {
    HostSegment segment;
    describe_file(segment, info);
    segment.label = name;
    if (ambiguous(name)) name.insert(0, "./");
    segment.name =
        place.name_space == 0 ? std::move(name) : fmt::format("@{}:{}", place.name_space, name);
    segment.name_space = place.name_space;
    segment.container = place.container;
    segment.user = user_name(segment.uid);
    files_.emplace(SegmentKey{segment.device, segment.inode}, segments_.size());
    segments_.push_back(std::move(segment));
}

void Scan::list_files(const FilePlace& place, int at, const std::string& below) {
    const auto directory = open_directory(at, below.empty() ? "." : below.c_str());
    if (!directory) {
        if (errno == EACCES)
            places_.limits.push_back(fmt::format("the directory {} cannot be looked into", below));
        return;
    }
    std::vector<std::string> directories;
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string_view name(entry->d_name);
        if (name == "." || name == ".." ||
            (entry->d_type != DT_REG && entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        struct statx info {};
        if (::statx(::dirfd(directory.get()), entry->d_name,
                    AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME,
                    &info) != 0)
            continue;
        // What is mounted in there is another file system.
        if (makedev(info.stx_dev_major, info.stx_dev_minor) != place.device) continue;
        if (S_ISDIR(info.stx_mode)) {
            if (below.empty()) {
                directories.emplace_back(name);
            } else {
                ++too_deep_;
            }
        } else if (S_ISREG(info.stx_mode) && segments_.size() < kMostSegments) {
            if (name.starts_with(".snakepit_") && place.name_space == 0 && below.empty())
                read_instance(::dirfd(directory.get()), entry->d_name, info.stx_uid);
            auto shown = below.empty() ? std::string(name) : fmt::format("{}/{}", below, name);
            add_file(place, std::move(shown), info);
        }
    }
    for (const auto& name : directories) list_files(place, at, name);
}

// Each manager of ours holds a mark that says where its registry is (core/layout/ownership.h).
void Scan::read_instance(int directory, const std::string& name, std::uint32_t uid) {
    const auto mark = our_name(name);
    if (!mark) return;
    const Handle file(
        ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    std::array<char, 4096> text;
    const auto got = file ? ::read(file.get(), text.data(), text.size()) : -1;
    std::string path(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    path.resize(std::min(path.find('\n'), path.size()));
    struct stat registry {};
    // Whoever wrote the entry says where to look, so it is only asked whether his own file is
    // there.
    struct flock range {};
    range.l_type = F_WRLCK;
    const bool held =
        file && ::fcntl(file.get(), F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    const bool stands = held || (!path.empty() && ::lstat(path.c_str(), &registry) == 0 &&
                                 S_ISREG(registry.st_mode) && registry.st_uid == uid);
    const auto key = mark->tag.empty() ? mark->instance : mark->instance + "@" + mark->tag;
    auto& known = instances_[key];
    if (stands) known = path.empty() ? "elsewhere" : path;
}

}  // namespace snakepit::shm::survey
