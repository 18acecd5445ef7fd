// SPDX-License-Identifier: MIT
// The databases of an instance. Only reads; a manager may be writing.
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

// Checks the structure of the database, as far as it can be read in `patience_ms`. `name`: of the
// check.
Check check_database(const std::string& name, const std::string& path, int patience_ms);
// The size of the database's write-ahead log.
Check check_database_log(const std::string& path);
// The newest checkpoint of the history is signed by the instance, and the rows before it are those
// that were signed. 'audit verify' reads all rows.
Check check_history(const InstancePaths& paths);
// Checks events.db, and state.db and metrics.db if they exist.
std::vector<Check> check_databases(const InstancePaths& paths);

}  // namespace snakepit::shm
