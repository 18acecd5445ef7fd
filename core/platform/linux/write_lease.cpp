// SPDX-License-Identifier: MIT
#include "platform/write_lease.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

namespace snakepit::shm {

WriteLease take_write_lease(const Handle& file) {
    // The kernel reports the break of a lease by a signal; the default one ends the process, this
    // one is ignored unless somebody handles it.
    ::fcntl(file.get(), F_SETSIG, SIGURG);
    if (::fcntl(file.get(), F_SETLEASE, F_WRLCK) == 0) return WriteLease::held;
    return errno == EAGAIN ? WriteLease::in_use : WriteLease::not_to_be_had;
}

bool write_lease_stands(const Handle& file) {
    return ::fcntl(file.get(), F_GETLEASE) == F_WRLCK;
}

}  // namespace snakepit::shm
