// SPDX-License-Identifier: MIT
#include "survey/linux/tree/open_events.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>
#include <utility>

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kMostKnown = 64 << 10;  // files; then it starts again

}  // namespace

Result<OpenEvents> OpenEvents::watch(const Handle& directory) {
    SHM_ASSIGN(auto events, FileEvents::open(FAN_UNLIMITED_QUEUE));
    SHM_TRY(events.watch(directory.get(), FAN_CREATE | FAN_OPEN | FAN_CLOSE));
    OpenEvents out(std::move(events));
    out.directory_ = directory.duplicate();
    if (!out.directory_)
        return fail(system_error(errno, "cannot watch which processes open segments"));
    return out;
}

std::vector<OpenEvent> OpenEvents::drain() {
    std::vector<OpenEvent> out;
    (void)events_.drain(std::numeric_limits<std::size_t>::max(), [&](const FileEvent& event) {
        out.push_back(
            {event.pid, inode_of(std::string(event.file)), (event.what & FAN_CREATE) != 0});
    });
    return out;
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
