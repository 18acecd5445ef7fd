// SPDX-License-Identifier: MIT
#include "survey/linux/remove_segment.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/pluralize.h"
#include "platform/write_lease.h"
#include "survey/known_programs.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr int kRounds = 200;  // attempts to restore a name that is constantly recreated

tl::unexpected<Error> exchanged() {
    return fail(ErrorCode::identity_mismatch, "another segment has this name now",
                "run 'snakepit-shm host' again");
}
tl::unexpected<Error> gone() {
    return fail(ErrorCode::region_not_found, "it was removed meanwhile");
}
tl::unexpected<Error> in_use() {
    return fail(ErrorCode::region_in_use,
                "a process has it open or mapped now (confirmed by the kernel)");
}

bool is_it(const struct stat& info, const HostSegment& segment) {
    return S_ISREG(info.st_mode) && info.st_dev == segment.device && info.st_ino == segment.inode;
}

// A name's directory, and the name in it.
struct Spot {
    Handle directory;
    std::string name;
};
Spot spot_of(const FilePlace& place, const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos)
        return {Handle(::openat(place.directory.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC)),
                path};
    return {open_path_below(place.directory.get(), path.substr(0, slash).c_str()),
            path.substr(slash + 1)};
}

bool rename_new(int directory, const std::string& from, const std::string& to) {
    return ::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) == 0;
}

// Another process recreated the name between two of our steps: put the file back.
tl::unexpected<Error> put_back(const Spot& spot, const std::string& aside) {
    for (int round = 0; round < kRounds; ++round) {
        if (rename_new(spot.directory.get(), aside, spot.name)) return exchanged();
        if (errno != EEXIST) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return fail(
        ErrorCode::cleanup_failed,
        fmt::format(
            "the name was created again repeatedly; one segment of that name is now called {}",
            aside),
        "rename or remove it");
}

// Between checking a name and removing it, another process may replace the file. So the file is
// first renamed, checked under the new name, which no other process uses, and then removed.
Status remove_name(const HostSegment& segment, const Spot& spot, Handle& lease) {
    const auto aside = fmt::format("{}{:016x}", kAside, random_u64());
    if (!rename_new(spot.directory.get(), spot.name, aside)) {
        if (errno == ENOENT) return gone();
        return fail(system_error(errno, "it cannot be removed", ErrorCode::cleanup_failed));
    }
    struct stat info {};
    if (::fstatat(spot.directory.get(), aside.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !is_it(info, segment)) {
        lease.reset();  // no process should block meanwhile
        return put_back(spot, aside);
    }
    if (::unlinkat(spot.directory.get(), aside.c_str(), 0) != 0)
        return fail(system_error(errno, fmt::format("{} cannot be removed", aside),
                                 ErrorCode::cleanup_failed));
    return {};
}

// The file, if no other process has it open or mapped; opening it blocks until it is closed.
Result<Handle> leased(const HostSegment& segment, const Spot& spot) {
    Handle file(::openat(spot.directory.get(), spot.name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file && errno == EWOULDBLOCK) return in_use();  // another process holds a lease
    if (!file && errno == EACCES) return fail(ErrorCode::not_supported, "it cannot be opened");
    if (!file && errno == ENOENT) return gone();
    if (!file) return exchanged();
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !is_it(info, segment)) return exchanged();
    switch (take_write_lease(file)) {
        case WriteLease::held:
            if (!write_lease_stands(file)) return in_use();
            return file;
        case WriteLease::in_use:
            return in_use();
        case WriteLease::not_to_be_had:
            break;
    }
    return fail(ErrorCode::not_supported, "the kernel grants no lease on it");
}

Status remove_unattached(const HostSegment& segment, int id, Rehearsal rehearsal) {
    struct shmid_ds now {};
    if (::shmctl(id, IPC_STAT, &now) != 0)
        return errno == EINVAL || errno == EIDRM
                   ? gone()
                   : fail(system_error(errno, "it cannot be checked again"));
    if (now.shm_ctime != segment.created.micros / kMicrosPerSecond ||
        now.shm_perm.__key != segment.key)
        return exchanged();
    if (now.shm_nattch != 0)
        return fail(ErrorCode::region_in_use,
                    fmt::format("it is attached {} now (counted by the kernel)",
                                pluralize(std::uint64_t{now.shm_nattch}, "time")));
    if (rehearsal == Rehearsal::no && ::shmctl(id, IPC_RMID, nullptr) != 0)
        return fail(system_error(errno, "it cannot be removed", ErrorCode::cleanup_failed));
    return {};
}

}  // namespace

Result<std::uint64_t> remove_file(const HostSegment& segment, const FilePlace& place,
                                  const std::vector<std::string>& paths, Proof proof,
                                  Rehearsal rehearsal) {
    std::vector<Spot> spots;
    for (const auto& path : paths) {
        spots.push_back(spot_of(place, path));
        if (!spots.back().directory) return gone();
    }
    Handle held;
    if (proof == Proof::lease) {
        SHM_ASSIGN(held, leased(segment, spots.front()));
    }
    for (const auto& spot : spots) {
        struct stat info {};
        if (::fstatat(spot.directory.get(), spot.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            return gone();
        if (!is_it(info, segment)) return exchanged();
        if (rehearsal == Rehearsal::no) SHM_TRY(remove_name(segment, spot, held));
    }
    return segment.links > paths.size() ? segment.links - paths.size() : 0;
}

Status remove_system_v(const HostSegment& segment, const TablePlace& place, Rehearsal rehearsal) {
    std::string_view number(segment.name);  // "sysv:7", "@4026532210:sysv:7"
    number.remove_prefix(number.rfind(':') + 1);
    const auto id = static_cast<int>(take_number(number));
    Status done;
    if (!inside(place, [&] { done = remove_unattached(segment, id, rehearsal); }))
        return fail(system_error(errno, "its namespace cannot be entered"));
    return done;
}

}  // namespace snakepit::shm::survey
