// SPDX-License-Identifier: MIT
#include "platform/write_lease.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

namespace snakepit::shm {

namespace {

bool take(int file) {
    return ::fcntl(file, F_SETLEASE, F_WRLCK) == 0;
}

// A file's owner needs no capability, and administrators of containers often have none for leases:
// this thread counts as the owner for one call. Where that is not allowed, nothing changes. The
// kernel disables core dumps of a process whose ids changed, so that setting is restored.
bool take_as_owner(int file) {
    struct stat info {};
    if (::fstat(file, &info) != 0) return false;
    const int dumps = ::prctl(PR_GET_DUMPABLE);
    const auto before = ::setfsuid(info.st_uid);
    const bool taken = take(file);
    const int error = errno;
    (void)::setfsuid(static_cast<uid_t>(before));
    if (dumps == 1) (void)::prctl(PR_SET_DUMPABLE, dumps);
    errno = error;
    return taken;
}

}  // namespace

WriteLease take_write_lease(const Handle& file) {
    // The kernel reports a lease break by a signal. The default signal would end the process; this
    // one is ignored unless it is handled.
    ::fcntl(file.get(), F_SETSIG, SIGURG);
    if (take(file.get()) || (errno == EACCES && take_as_owner(file.get()))) return WriteLease::held;
    return errno == EAGAIN ? WriteLease::in_use : WriteLease::not_to_be_had;
}

bool write_lease_stands(const Handle& file) {
    return ::fcntl(file.get(), F_GETLEASE) == F_WRLCK;
}

}  // namespace snakepit::shm
