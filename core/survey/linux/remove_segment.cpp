// SPDX-License-Identifier: MIT
#include "survey/linux/remove_segment.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <fmt/format.h>

#include "platform/write_lease.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::int64_t kSecond = 1'000'000;  // microseconds

tl::unexpected<Error> exchanged() {
    return fail(ErrorCode::region_not_found, "another segment has its name by now",
                "look again with snakepit-shm host");
}
tl::unexpected<Error> gone() {
    return fail(ErrorCode::region_not_found, "it went meanwhile");
}

bool is_it(const struct stat& info, const HostSegment& segment) {
    return S_ISREG(info.st_mode) && info.st_dev == segment.device && info.st_ino == segment.inode;
}

// The directory a file stands in, and its name there; at most one directory deep.
struct Spot {
    Handle below;
    int directory = -1;
    std::string name;
};
Spot spot_of(const HostSegment& segment, const FilePlace& place) {
    Spot spot{.directory = place.directory.get(), .name = segment.label};
    const auto slash = segment.label.find('/');
    if (slash == std::string::npos) return spot;
    spot.below = Handle(::openat(spot.directory, segment.label.substr(0, slash).c_str(),
                                 O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    spot.directory = spot.below.get();
    spot.name = segment.label.substr(slash + 1);
    return spot;
}

tl::unexpected<Error> in_use() {
    return fail(ErrorCode::region_in_use,
                "the kernel says that somebody has it open or mapped now");
}

Status unlink_it(const HostSegment& segment, const Spot& spot, Rehearsal rehearsal) {
    struct stat info {};
    if (::fstatat(spot.directory, spot.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        return gone();
    if (!is_it(info, segment)) return exchanged();
    if (rehearsal == Rehearsal::no && ::unlinkat(spot.directory, spot.name.c_str(), 0) != 0)
        return fail(system_error(errno, "cannot remove it", ErrorCode::cleanup_failed));
    return {};
}

Status remove_unattached(const HostSegment& segment, int id, Rehearsal rehearsal) {
    struct shmid_ds now {};
    if (::shmctl(id, IPC_STAT, &now) != 0)
        return errno == EINVAL || errno == EIDRM
                   ? gone()
                   : fail(system_error(errno, "cannot look at it again"));
    if (now.shm_ctime != segment.created.micros / kSecond || now.shm_perm.__key != segment.key)
        return exchanged();
    if (now.shm_nattch != 0)
        return fail(ErrorCode::region_in_use,
                    fmt::format("it is attached {} times now", std::uint64_t{now.shm_nattch}));
    if (rehearsal == Rehearsal::no && ::shmctl(id, IPC_RMID, nullptr) != 0)
        return fail(system_error(errno, "cannot remove it", ErrorCode::cleanup_failed));
    return {};
}

}  // namespace

Status remove_file(const HostSegment& segment, const FilePlace& place, Rehearsal rehearsal,
                   const std::function<Status()>& unused) {
    const auto spot = spot_of(segment, place);
    Handle file(::openat(spot.directory, spot.name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file && errno == EWOULDBLOCK) return in_use();  // somebody else's lease
    if (!file && errno != EACCES) return errno == ENOENT ? gone() : exchanged();
    auto lease = WriteLease::not_to_be_had;
    if (file) {
        struct stat info {};
        if (::fstat(file.get(), &info) != 0 || !is_it(info, segment)) return exchanged();
        lease = take_write_lease(file);
    }
    if (lease == WriteLease::in_use) return in_use();
    if (lease == WriteLease::not_to_be_had) {
        file.reset();  // not to be seen as a user ourselves
        SHM_TRY(unused());
    } else if (!write_lease_stands(file)) {
        return in_use();
    }
    return unlink_it(segment, spot, rehearsal);
}

Status remove_system_v(const HostSegment& segment, const TablePlace& place, Rehearsal rehearsal) {
    std::string_view number(segment.label);
    number.remove_prefix(number.find(':') + 1);
    const auto id = static_cast<int>(take_number(number));
    Status done;
    if (!inside(place, [&] { done = remove_unattached(segment, id, rehearsal); }))
        return fail(system_error(errno, "its namespace cannot be entered"));
    return done;
}

}  // namespace snakepit::shm::survey
