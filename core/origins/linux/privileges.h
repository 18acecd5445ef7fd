// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.h"

namespace snakepit::shm::origins {

// Gives up every capability of this process but CAP_SYS_ADMIN (to be told who opens files),
// CAP_SYS_PTRACE (to read who that is) and CAP_DAC_READ_SEARCH (to reach the segments of
// containers), for good. permission_denied, naming those that are missing. Before the first thread.
Status keep_needed_privileges();

}  // namespace snakepit::shm::origins
