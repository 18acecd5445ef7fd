// SPDX-License-Identifier: MIT
// What an instance keeps on the disk. Readers only; a manager may be writing.
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

// `name`: of the check. Its pages hang together, as far as can be read in `patience_ms`.
Check check_database(const std::string& name, const std::string& path, int patience_ms);
// What waits beside the database to be brought into it.
Check check_database_log(const std::string& path);
// The newest checkpoint of the history is signed by the instance, and the rows before it are what
// was signed. 'audit verify' reads all of them.
Check check_history(const InstancePaths& paths);
// Of events.db, and of state.db and metrics.db where they are there.
std::vector<Check> check_databases(const InstancePaths& paths);

}  // namespace snakepit::shm
