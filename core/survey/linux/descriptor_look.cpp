// SPDX-License-Identifier: MIT
#include "survey/linux/descriptor_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::uint64_t kMostAsked = 8192;      // sockets and rings, per scan
constexpr unsigned kGraphicsMajor = 226;        // /dev/dri/…
constexpr std::uint32_t kMountNumber = 0x1000;  // STATX_MNT_ID, since Linux 5.8
constexpr std::string_view kRing = "anon_inode:[io_uring]";

// Counts `key` of a file of lines "key: number" under /proc; 0 when it has none.
std::uint64_t count_in(const std::string& text, std::string_view key) {
    const auto at = text.find(key);
    if (at == text.npos) return 0;
    std::string_view rest(text);
    rest.remove_prefix(at + key.size());
    return static_cast<std::uint64_t>(std::max<std::int64_t>(take_number(rest), 0));
}

}  // namespace

DescriptorLook::DescriptorLook(int proc, const LookOptions& options, const TellSighting& tell,
                               LookResult& result)
    : proc_(proc), options_(options), tell_(tell), result_(result) {
    buffer_.resize(kReadAtOnce);
    struct stat info {};
    if (::fstatat(proc_, "self/ns/mnt", &info, 0) == 0) namespaces_ = info.st_dev;
}

bool DescriptorLook::at(const ProcessDirectory& who) {
    const Handle directory(
        ::openat(who.home.get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!directory) return errno != EACCES && errno != EPERM;
    for (;;) {
        const auto got = ::getdents64(directory.get(), buffer_.data(), buffer_.size());
        if (got <= 0) return true;  // it ended meanwhile, or the list ends
        for (ssize_t at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer_.data() + at);
            at += entry->d_reclen;
            if (entry->d_name[0] != '.') look_at(who, directory.get(), entry->d_name);
        }
    }
}

void DescriptorLook::look_at(const ProcessDirectory& who, int directory, const char* name) {
    struct statx info {};
    // Without contacting a server: a descriptor of a network file system must not block.
    if (::statx(directory, name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO | kMountNumber,
                &info) != 0)
        return;
    switch (info.stx_mode & S_IFMT) {
        case S_IFREG:
            return look_at_file(who, name, info);
        case S_IFSOCK:
            if (!options_.quick) look_into_socket(who, name, info.stx_ino);
            return;
        case S_IFCHR:
            if (info.stx_rdev_major == kGraphicsMajor) result_.graphics.add(who.process.pid);
            return;
        case 0:  // of the kernel, without a file
            if (!options_.quick) look_into_ring(who, directory, name);
            return;
        default:
            return;
    }
}

void DescriptorLook::look_at_file(const ProcessDirectory& who, const char* name,
                                  const struct statx& info) {
    Sighting seen{.device = makedev(info.stx_dev_major, info.stx_dev_minor),
                  .inode = info.stx_ino,
                  .descriptor = name,
                  .thread = who.thread};
    if (contains(options_.memfd_devices, seen.device)) {
        seen.what = Sighting::What::memfd;
    } else if (contains(options_.devices, seen.device)) {
        seen.what = Sighting::What::file;
    } else {
        const auto entry = [&] { return std::pair(who.process.pid, entry_of(who.process, seen)); };
        if (seen.device == namespaces_) {
            if (!result_.namespaces.contains(seen.inode))
                result_.namespaces.emplace(seen.inode, entry());
        } else if ((info.stx_mask & kMountNumber) != 0 && info.stx_dev_major == 0 &&
                   !result_.mounts.contains(info.stx_mnt_id)) {
            result_.mounts.emplace(info.stx_mnt_id, entry());
        }
        return;
    }
    tell_(who.process, seen);
}

// Every process with the socket shows the same value.
void DescriptorLook::look_into_socket(const ProcessDirectory& who, const char* name,
                                      std::uint64_t inode) {
    if (!sockets_.insert(inode).second) return;
    if (++asked_ > kMostAsked) {
        ++result_.sockets_left_out;
        return;
    }
    const auto text = read_file(who.home.get(), fmt::format("fdinfo/{}", name).c_str());
    const auto waiting = text ? count_in(*text, "scm_fds:") : 0;
    if (waiting > 0) result_.waiting[who.process.pid] += waiting;
}

void DescriptorLook::look_into_ring(const ProcessDirectory& who, int directory, const char* name) {
    if (asked_ > kMostAsked || read_link(directory, name) != kRing) return;
    ++asked_;
    const auto text = read_file(who.home.get(), fmt::format("fdinfo/{}", name).c_str());
    const auto held = text ? count_in(*text, "UserFiles:") + count_in(*text, "UserBufs:") : 0;
    if (held > 0) result_.registered[who.process.pid] += held;
}

}  // namespace snakepit::shm::survey
