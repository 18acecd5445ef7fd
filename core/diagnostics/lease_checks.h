// SPDX-License-Identifier: MIT
// Compares grants and leases with the running processes. Work that a killed manager left unfinished
// is a warning while none runs, since the next one finishes it; while one runs it is a problem.
#pragma once

#include <vector>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

// Checks for programs that have exited and still have grants, process ids that were reused, and
// rows of programs without grants. `patience_ms`: how long findings are checked again while a
// running manager may be changing them; 0: not at all.
std::vector<Check> check_leases(const InstancePaths& paths, bool manager_runs, int patience_ms);

}  // namespace snakepit::shm
