// SPDX-License-Identifier: MIT
// What each process maps and has open. The one part that costs something with many processes: the
// kernel is asked for no path that is not needed, and mappings and descriptors that are no
// segment's are left at once. Before Linux 6.11 the mappings are read as text, in large pieces.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "survey/linux/map_query.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kPiece = 64 << 10;

bool contains(const std::vector<std::uint64_t>& devices, std::uint64_t device) {
    return std::find(devices.begin(), devices.end(), device) != devices.end();
}

std::uint64_t device_of(const MapQuery& map) {
    return makedev(map.device_major, map.device_minor);
}

// By the path; false: neither System V nor a memfd.
bool tell_kind(Sighting& seen) {
    if (seen.path.starts_with("/SYSV")) {
        seen.what = Sighting::What::system_v;
    } else if (seen.path.starts_with("/memfd:")) {
        seen.what = Sighting::What::memfd;
    } else {
        return false;
    }
    return true;
}

// As the text of maps shows it; empty when that is no longer mapped there.
std::string ask_for_path(const Sighting& seen) {
    std::array<char, PATH_MAX> text;
    MapQuery map{.address = seen.begin,
                 .path_size = static_cast<std::uint32_t>(text.size()),
                 .path_address = reinterpret_cast<std::uintptr_t>(text.data())};
    if (!query_map(seen.maps_file, map) || map.path_size == 0 || map.inode != seen.inode ||
        device_of(map) != seen.device)
        return {};
    std::string path(text.data(), map.path_size - 1);
    for (auto at = path.find('\n'); at != path.npos; at = path.find('\n', at))
        path.replace(at, 1, "\\012");
    return path;
}

// Programs and libraries are most of what processes map: several mappings in a row, of one file.
// How long such a row is, is learned where it is met first; elsewhere its last mapping is asked for
// at once. Unseen stays what a process maps into the middle of its own library,
// unless the mappings are read as text.
class Images {
  public:
    void begin() { row_ = {}; }  // of another process

    // Takes note of `map`, or moves it on to the end of its row.
    void pass(int maps, MapQuery& map) {
        const File file{device_of(map), map.inode};
        if (file != row_.file || map.begin != row_.end) {
            row_ = {file, map.begin, map.end};
            const auto known = lengths_.find(file);
            const auto end = known == lengths_.end() ? map.end : map.begin + known->second;
            if (MapQuery last{.flags = kOfFiles, .address = end - 1};
                end > map.end && query_map(maps, last) && last.end == end &&
                File{device_of(last), last.inode} == file)
                map = last;
        }
        row_.end = map.end;
        lengths_[file] = map.end - row_.begin;
    }

  private:
    using File = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
    struct Row {
        File file;
        std::uint64_t begin = 0, end = 0;
    };
    Row row_;
    std::map<File, std::uint64_t> lengths_;  // bytes
};

class Look {
  public:
    using Tell = std::function<void(const Process&, const Sighting&)>;
    Look(int proc, const std::vector<std::uint64_t>& devices,
         const std::vector<std::uint64_t>& memfd_devices, const Tell& tell, bool as_text)
        : proc_(proc),
          devices_(devices),
          memfd_devices_(memfd_devices),
          tell_(tell),
          as_text_(as_text) {
        buffer_.resize(kPiece);
    }

    // False: not allowed to.
    bool at(const Process& process) {
        const Handle home(::openat(proc_, fmt::format("{}", process.pid).c_str(),
                                   O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        if (!home) return true;  // it ended meanwhile
        switch (look_at_maps(process, home.get())) {
            case Memory::refused:
                return errno != EACCES && errno != EPERM;
            case Memory::none:
                return at_other_threads(process, home.get());
            case Memory::seen:
                break;
        }
        return look_at_descriptors(process, home.get());
    }

  private:
    // none: no memory of its own, so a part of the kernel, or ended; refused: with errno.
    enum class Memory { none, seen, refused };
    Memory look_at_maps(const Process& process, int home);
    // Its first thread has ended, and shows nothing of what the others still have.
    bool at_other_threads(const Process& process, int home);
    // Nothing where the system cannot be asked like this.
    std::optional<Memory> ask_for_maps(const Process& process, int maps);
    void look_at_map(const Process& process, const MapQuery& map, int maps);
    bool may_be_segment(std::uint64_t device) const {
        return contains(memfd_devices_, device) || contains(devices_, device);
    }
    Memory read_maps(const Process& process, int maps);
    void look_at_line(const Process& process, std::string_view text);
    bool look_at_descriptors(const Process& process, int home);
    void look_at_descriptor(const Process& process, int directory, const char* name);

    int proc_;
    const std::vector<std::uint64_t>& devices_;
    const std::vector<std::uint64_t>& memfd_devices_;
    const Tell& tell_;
    bool as_text_;
    std::string buffer_;
    Images images_;
};

bool Look::at_other_threads(const Process& process, int home) {
    const auto threads = open_directory(home, "task");
    if (!threads) return errno != EACCES && errno != EPERM;
    while (const auto* entry = ::readdir(threads.get())) {
        std::string_view name(entry->d_name);
        if (const auto number = take_number(name); number <= 0 || number == process.pid) continue;
        const Handle thread(::openat(::dirfd(threads.get()), entry->d_name,
                                     O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        if (thread && look_at_maps(process, thread.get()) == Memory::seen)
            return look_at_descriptors(process, thread.get());
    }
    return true;
}

Look::Memory Look::look_at_maps(const Process& process, int home) {
    const Handle maps(::openat(home, "maps", O_RDONLY | O_CLOEXEC));
    if (!maps) return Memory::refused;
    if (!as_text_)
        if (const auto memory = ask_for_maps(process, maps.get())) return *memory;
    return read_maps(process, maps.get());
}

std::optional<Look::Memory> Look::ask_for_maps(const Process& process, int maps) {
    images_.begin();
    for (MapQuery map;; map = {.address = map.end}) {
        map.flags = kCoveringOrNext | kOfFiles;
        if (query_map(maps, map)) {
            if (may_be_segment(device_of(map))) {
                look_at_map(process, map, maps);
            } else {
                images_.pass(maps, map);
            }
        } else if (errno == ESRCH) {
            return map.address == 0 ? Memory::none : Memory::seen;
        } else if (errno == ENOENT) {
            return Memory::seen;
        } else {
            as_text_ = as_text_ || errno == ENOTTY;
            return std::nullopt;  // told twice is no harm, not at all would be
        }
    }
}

void Look::look_at_map(const Process& process, const MapQuery& map, int maps) {
    Sighting seen{.maps = true,
                  .device = device_of(map),
                  .inode = map.inode,
                  .begin = map.begin,
                  .end = map.end,
                  .maps_file = maps,
                  .reaches = map.offset + (map.end - map.begin)};
    std::string path;
    if (contains(memfd_devices_, seen.device)) {
        path = path_of(proc_, process, seen);
        seen.path = path;
        if (!tell_kind(seen)) return;
    }
    tell_(process, seen);
}

Look::Memory Look::read_maps(const Process& process, int maps) {
    auto memory = Memory::none;
    std::size_t kept = 0;  // the beginning of a line whose end was not read yet
    for (;;) {
        const auto got = ::read(maps, buffer_.data() + kept, buffer_.size() - kept);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != ESRCH) return Memory::refused;
        if (got <= 0) return memory;
        memory = Memory::seen;
        std::string_view text(buffer_.data(), kept + static_cast<std::size_t>(got));
        for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
            look_at_line(process, text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        kept = text.size() < buffer_.size() ? text.size() : 0;
        std::memmove(buffer_.data(), text.data(), kept);
    }
}

void Look::look_at_line(const Process& process, std::string_view text) {
    const auto line = parse_map_line(text);
    if (!line) return;
    Sighting seen{.maps = true,
                  .device = line->device,
                  .inode = line->inode,
                  .path = line->path,
                  .begin = line->begin,
                  .end = line->end,
                  .reaches = line->offset + (line->end - line->begin)};
    if (tell_kind(seen) || contains(devices_, line->device)) tell_(process, seen);
}

bool Look::look_at_descriptors(const Process& process, int home) {
    const Handle directory(::openat(home, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!directory) return errno != EACCES && errno != EPERM;
    for (;;) {
        const auto got = ::getdents64(directory.get(), buffer_.data(), buffer_.size());
        if (got <= 0) return true;  // it ended meanwhile, or that was all
        for (ssize_t at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer_.data() + at);
            at += entry->d_reclen;
            if (entry->d_name[0] != '.')
                look_at_descriptor(process, directory.get(), entry->d_name);
        }
    }
}

void Look::look_at_descriptor(const Process& process, int directory, const char* name) {
    struct statx info {};
    // Without asking a server: a descriptor of a network file system must not hold us up.
    if (::statx(directory, name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &info) != 0 ||
        !S_ISREG(info.stx_mode))
        return;
    Sighting seen{.device = makedev(info.stx_dev_major, info.stx_dev_minor),
                  .inode = info.stx_ino,
                  .descriptor = name};
    if (contains(memfd_devices_, seen.device)) {
        seen.what = Sighting::What::memfd;
    } else if (contains(devices_, seen.device)) {
        seen.what = Sighting::What::file;
    } else {
        return;
    }
    tell_(process, seen);
}

}  // namespace

std::string entry_of(const Process& process, const Sighting& seen) {
    return seen.maps ? fmt::format("{}/map_files/{:x}-{:x}", process.pid, seen.begin, seen.end)
                     : fmt::format("{}/fd/{}", process.pid, seen.descriptor);
}

std::string path_of(int proc, const Process& process, const Sighting& seen) {
    if (!seen.path.empty()) return std::string(seen.path);
    if (seen.maps_file >= 0) return ask_for_path(seen);
    return read_link(proc, entry_of(process, seen).c_str());
}

std::uint64_t look_at_processes(int proc, const std::vector<Process>& processes,
                                const std::vector<std::uint64_t>& devices,
                                const std::vector<std::uint64_t>& memfd_devices,
                                const std::function<void(const Process&, const Sighting&)>& tell,
                                bool as_text) {
    // Where memory without a name lives is what spares asking for every path.
    Look look(proc, devices, memfd_devices, tell, as_text || memfd_devices.empty());
    std::uint64_t unreadable = 0;
    for (const auto& process : processes)
        if (!look.at(process)) ++unreadable;
    return unreadable;
}

std::uint64_t ProcessTable::look(const std::vector<std::uint64_t>& devices,
                                 const std::vector<std::uint64_t>& memfd_devices,
                                 const std::function<void(const Process&, const Sighting&)>& tell,
                                 bool as_text) const {
    return look_at_processes(proc(), processes_, devices, memfd_devices, tell, as_text);
}

}  // namespace snakepit::shm::survey
