// SPDX-License-Identifier: MIT
#include "survey/linux/tree/open_events.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kPiece = 64 << 10;
constexpr std::size_t kMostKnown = 64 << 10;  // files; then it starts again

// The file_handle in one event; empty when it has none.
std::string handle_in(std::string_view event) {
    fanotify_event_info_header info{};
    for (event.remove_prefix(FAN_EVENT_METADATA_LEN); event.size() > sizeof info;
         event.remove_prefix(info.len)) {
        std::memcpy(&info, event.data(), sizeof info);
        if (info.len < sizeof info || info.len > event.size()) return {};
        if (info.info_type == FAN_EVENT_INFO_TYPE_FID)
            return std::string(event.substr(offsetof(fanotify_event_info_fid, handle),
                                            info.len - offsetof(fanotify_event_info_fid, handle)));
    }
    return {};
}

}  // namespace

Result<OpenEvents> OpenEvents::watch(const Handle& directory) {
    OpenEvents out;
    out.directory_ = Handle(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0));
    out.events_ = Handle(::fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
                                             FAN_REPORT_DFID_NAME_TARGET | FAN_UNLIMITED_QUEUE,
                                         O_RDONLY | O_CLOEXEC));
    if (!out.directory_ || !out.events_ ||
        ::fanotify_mark(out.events_.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
                        FAN_CREATE | FAN_OPEN | FAN_CLOSE, directory.get(), ".") != 0)
        return fail(system_error(errno, "cannot watch which processes open segments"));
    return out;
}

std::vector<OpenEvent> OpenEvents::drain() {
    std::vector<OpenEvent> out;
    alignas(fanotify_event_metadata) std::array<char, kPiece> buffer;
    for (;;) {
        const auto got = ::read(events_.get(), buffer.data(), buffer.size());
        if (got <= 0) return out;
        std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
        while (rest.size() >= FAN_EVENT_METADATA_LEN) {
            fanotify_event_metadata event{};
            std::memcpy(&event, rest.data(), sizeof event);
            if (event.event_len < FAN_EVENT_METADATA_LEN || event.event_len > rest.size()) break;
            out.push_back({event.pid, inode_of(handle_in(rest.substr(0, event.event_len))),
                           (event.mask & FAN_CREATE) != 0});
            rest.remove_prefix(event.event_len);
        }
    }
}

std::uint64_t OpenEvents::inode_of(std::string handle) {
    if (handle.size() < sizeof(file_handle)) return 0;
    if (const auto known = inodes_.find(handle); known != inodes_.end()) return known->second;
    if (inodes_.size() >= kMostKnown) inodes_.clear();
    // With O_PATH the file itself is not opened: its users and leases notice nothing.
    auto copy = handle;
    const Handle file(::open_by_handle_at(
        directory_.get(), reinterpret_cast<file_handle*>(copy.data()), O_PATH | O_CLOEXEC));
    struct stat info {};
    // A file without a name may get one.
    if (!file || ::fstat(file.get(), &info) != 0) return 0;
    return inodes_[std::move(handle)] = info.st_ino;
}

}  // namespace snakepit::shm::survey
