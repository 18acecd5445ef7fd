// SPDX-License-Identifier: MIT
// Who may hold what, against the processes there are. What a killed manager left undone is a
// warning while none runs, for the next one does it; while one runs it is a problem.
#pragma once

#include <vector>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

// Programs that are gone and still have grants; those whose number another process has by now; rows
// of programs that nothing was granted to. Without a manager or one's rights: says so.
// `patience_ms`: how long what a running manager may just be doing is looked at again; 0: not.
std::vector<Check> check_leases(const InstancePaths& paths, bool manager_runs, int patience_ms);

}  // namespace snakepit::shm
