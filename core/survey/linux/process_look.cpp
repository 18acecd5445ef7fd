// SPDX-License-Identifier: MIT
// What each process maps and has open. The one part that costs something with many processes: files
// are read in large pieces, and lines and descriptors that are no segment's are left at once.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kPiece = 64 << 10;

bool contains(const std::vector<std::uint64_t>& devices, std::uint64_t device) {
    return std::find(devices.begin(), devices.end(), device) != devices.end();
}

class Look {
  public:
    using Tell = std::function<void(const Process&, const Sighting&)>;
    Look(int proc, const std::vector<std::uint64_t>& devices,
         const std::vector<std::uint64_t>& memfd_devices, const Tell& tell)
        : proc_(proc), devices_(devices), memfd_devices_(memfd_devices), tell_(tell) {
        buffer_.resize(kPiece);
    }

    // False: not allowed to.
    bool at(const Process& process) {
        const Handle home(::openat(proc_, fmt::format("{}", process.pid).c_str(),
                                   O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        if (!home) return true;  // it ended meanwhile
        const auto maps = look_at_maps(process, home.get());
        // No memory of its own: a part of the kernel, or ended.
        if (maps == 0) return true;
        if (maps < 0) return errno != EACCES && errno != EPERM;
        return look_at_descriptors(process, home.get());
    }

  private:
    // Bytes read; -1 with errno.
    std::int64_t look_at_maps(const Process& process, int home);
    bool look_at_descriptors(const Process& process, int home);
    void look_at_line(const Process& process, std::string_view text);

    int proc_;
    const std::vector<std::uint64_t>& devices_;
    const std::vector<std::uint64_t>& memfd_devices_;
    const Tell& tell_;
    std::string buffer_;
};

std::int64_t Look::look_at_maps(const Process& process, int home) {
    const Handle file(::openat(home, "maps", O_RDONLY | O_CLOEXEC));
    if (!file) return -1;
    std::int64_t total = 0;
    std::size_t kept = 0;  // the beginning of a line whose end was not read yet
    for (;;) {
        const auto got = ::read(file.get(), buffer_.data() + kept, buffer_.size() - kept);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == ESRCH) return total;
        if (got < 0) return -1;
        if (got == 0) return total;
        total += got;
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
                  .reaches = line->offset + (line->end - line->begin)};
    if (line->path.starts_with("/SYSV")) {
        seen.what = Sighting::What::system_v;
    } else if (line->path.starts_with("/memfd:")) {
        seen.what = Sighting::What::memfd;
    } else if (contains(devices_, line->device)) {
        seen.what = Sighting::What::file;
    } else {
        return;
    }
    const auto entry = fmt::format("map_files/{}", line->range);
    seen.entry = entry;
    tell_(process, seen);
}

bool Look::look_at_descriptors(const Process& process, int home) {
    const auto directory = open_directory(home, "fd");
    if (!directory) return errno != EACCES && errno != EPERM;
    std::string entry;
    while (const auto* name = ::readdir(directory.get())) {
        if (name->d_name[0] == '.') continue;
        struct statx info {};
        // Without asking a server: a descriptor of a network file system must not hold us up.
        if (::statx(::dirfd(directory.get()), name->d_name, AT_STATX_DONT_SYNC,
                    STATX_TYPE | STATX_INO, &info) != 0 ||
            !S_ISREG(info.stx_mode))
            continue;
        Sighting seen{.device = makedev(info.stx_dev_major, info.stx_dev_minor),
                      .inode = info.stx_ino};
        if (contains(memfd_devices_, seen.device)) {
            seen.what = Sighting::What::memfd;
        } else if (contains(devices_, seen.device)) {
            seen.what = Sighting::What::file;
        } else {
            continue;
        }
        entry.assign("fd/").append(name->d_name);
        seen.entry = entry;
        tell_(process, seen);
    }
    return true;
}

}  // namespace

std::uint64_t ProcessTable::look(
    const std::vector<std::uint64_t>& devices, const std::vector<std::uint64_t>& memfd_devices,
    const std::function<void(const Process&, const Sighting&)>& tell) const {
    Look look(proc(), devices, memfd_devices, tell);
    std::uint64_t unreadable = 0;
    for (const auto& process : processes_)
        if (!look.at(process)) ++unreadable;
    return unreadable;
}

}  // namespace snakepit::shm::survey
