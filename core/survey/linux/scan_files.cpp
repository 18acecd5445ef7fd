// SPDX-License-Identifier: MIT
// The files in a directory of segments, and in directories below it.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

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

// The kind of an entry that is not a file or directory; null for those and for unknown ones.
const char* kind_of(unsigned char type) {
    switch (type) {
        case DT_FIFO:
            return "FIFO";
        case DT_SOCK:
            return "socket";
        case DT_LNK:
            return "symbolic link";
        case DT_CHR:
        case DT_BLK:
            return "device";
        default:
            return nullptr;
    }
}

// The path comes from the writer of the mark, so only the existence of a file of that user is
// checked.
Registry::State state_of(const std::string& path, std::uint32_t uid) {
    struct stat info {};
    if (path.empty()) return Registry::State::not_seen;
    if (::lstat(path.c_str(), &info) != 0)
        return errno == ENOENT || errno == ENOTDIR ? Registry::State::gone
                                                   : Registry::State::not_seen;
    return S_ISREG(info.st_mode) && info.st_uid == uid ? Registry::State::stands
                                                       : Registry::State::gone;
}

// Its lock in the form of /proc/locks.
std::string shown_in_locks(const struct statx& info) {
    return fmt::format(" {:02x}:{:02x}:{} ", info.stx_dev_major, info.stx_dev_minor, info.stx_ino);
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
    segment.gid = info.stx_gid;
    segment.links = info.stx_nlink;
    segment.mode = info.stx_mode & kModeBits;
    segment.device = makedev(info.stx_dev_major, info.stx_dev_minor);
    segment.inode = info.stx_ino;
    segment.unlinked = segment.kind == SegmentKind::posix && info.stx_nlink == 0;
    if ((info.stx_mask & STATX_BTIME) != 0) segment.created = time_of(info.stx_btime);
    segment.touched =
        std::max({time_of(info.stx_atime), time_of(info.stx_mtime), time_of(info.stx_ctime)});
}

std::string name_of_file(const std::string& path) {
    return ambiguous(path) ? "./" + path : path;
}

std::string path_of_name(const FilePlace& place, std::string_view name) {
    if (name.starts_with(place.mark)) name.remove_prefix(place.mark.size());
    if (name.starts_with("./")) name.remove_prefix(2);
    return std::string(name);
}

void Scan::add_file(const FilePlace& place, const std::string& path, const struct statx& info) {
    auto name = place.mark + name_of_file(path);
    const SegmentKey key{makedev(info.stx_dev_major, info.stx_dev_minor), info.stx_ino};
    const auto [known, fresh] = files_.emplace(key, segments_.size());
    if (!fresh) {
        segments_[known->second].names.push_back(std::move(name));
        return;
    }
    HostSegment segment;
    describe_file(segment, info);
    segment.label = path;
    segment.names.push_back(std::move(name));
    segment.name_space = place.name_space;
    segment.container = place.container;
    segment.user = user_name(segment.uid);
    segments_.push_back(std::move(segment));
}

void Scan::add_other(const FilePlace& place, const std::string& path, const char* kind) {
    if (result_.others.size() < kMostOthers) result_.others.push_back({place.mark + path, kind});
}

void Scan::list_files(const FilePlace& place) {
    std::vector<std::string> directories{""};
    for (std::size_t at = 0; at < directories.size(); ++at) {
        if (++directories_ > kMostDirectories) {
            left_out_ += directories.size() - at;
            return;
        }
        // A copy: the list grows meanwhile.
        list_directory(place, std::string(directories[at]), directories);
    }
}

void Scan::list_directory(const FilePlace& place, const std::string& below,
                          std::vector<std::string>& more) {
    const auto directory = below.empty()
                               ? open_directory(place.directory.get(), ".")
                               : open_directory_below(place.directory.get(), below.c_str());
    if (!directory) {
        if (errno != ENOENT)
            places_.limits.push_back(fmt::format("The directory {}/{} cannot be opened: {}.",
                                                 place.path, below,
                                                 std::generic_category().message(errno)));
        return;
    }
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string_view name(entry->d_name);
        if (name == "." || name == "..") continue;
        const auto path = below.empty() ? std::string(name) : fmt::format("{}/{}", below, name);
        struct statx info {};
        if (const auto* kind = kind_of(entry->d_type)) {
            add_other(place, path, kind);
        } else if (::statx(::dirfd(directory.get()), entry->d_name,
                           AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
                           STATX_BASIC_STATS | STATX_BTIME, &info) != 0) {
            continue;  // it went meanwhile
        } else if (makedev(info.stx_dev_major, info.stx_dev_minor) != place.device) {
            add_other(place, path, "mount");
        } else if (S_ISDIR(info.stx_mode)) {
            add_other(place, path, "directory");
            more.push_back(path);
        } else if (S_ISREG(info.stx_mode) && segments_.size() < kMostSegments) {
            if (name.starts_with(".snakepit_") && place.name_space == 0 && below.empty())
                read_instance(::dirfd(directory.get()), entry->d_name, info);
            add_file(place, path, info);
        }
    }
}

// Each manager of ours holds a mark that says where its registry is (core/layout/ownership.h).
void Scan::read_instance(int directory, const std::string& name, const struct statx& mark_info) {
    const auto mark = our_name(name);
    if (!mark) return;
    const Handle file(
        ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    Registry registry{.state = Registry::State::not_seen};
    if (file) {
        std::array<char, 4096> text;
        const auto got = ::read(file.get(), text.data(), text.size());
        registry.path.assign(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        registry.path.resize(std::min(registry.path.find('\n'), registry.path.size()));
        registry.state = state_of(registry.path, mark_info.stx_uid);
    }
    // The lock is more reliable than any file: it ends with the manager, and it is visible in every
    // namespace.
    if (!locks_) locks_ = read_file(table_.proc(), "locks").value_or("");
    if (locks_->find(shown_in_locks(mark_info)) != std::string::npos)
        registry.state = Registry::State::managed;
    const auto key = mark->tag.empty() ? mark->instance : mark->instance + "@" + mark->tag;
    auto& known = instances_.try_emplace(key).first->second;
    if (known.path.empty() || known.state < registry.state) known = registry;
}

}  // namespace snakepit::shm::survey
