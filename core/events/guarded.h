// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/Exception.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "platform/fault_guard.h"

namespace SQLite {
class Database;
}

namespace snakepit::shm {

// Stands around every use of a connection. SQLite maps the log's index (events.db-shm), and whoever
// replaces the database or cuts that file short would end us with SIGBUS; with the guard SQLite
// reads zeros there. What it says after a fault is worth nothing: close the connection.
// Where SQLite maps it is not told, so the guard covers whatever the thread touches meanwhile.
class IndexGuard : public FaultGuard {
  public:
    // No pointer that anybody follows.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    IndexGuard() : FaultGuard(reinterpret_cast<void*>(kLowest), kHighest - kLowest) {}

  private:
    static constexpr std::uintptr_t kLowest = 4096;
    static constexpr std::uintptr_t kHighest = std::uintptr_t{1} << 48;
};

// What SQLite keeps beside a database while it is open, as it stands at the path now.
struct LogFiles {
    std::uint64_t log = 0, index = 0;  // inodes; 0: absent, or cut short
    friend bool operator==(const LogFiles&, const LogFiles&) = default;
};
LogFiles log_files(const std::string& path);

// A transaction that read zeros in the index looked for its pages in the wrong place: it is rolled
// back in place of being committed. For each connection that writes, once.
void refuse_commits_after_faults(SQLite::Database& database);
// Before a connection is closed after an error: closing would write back what the index names, and
// then cut the log.
void keep_log_when_closed(SQLite::Database& database);

// Runs `work` on a connection to `path` under the guard. SQLite's exceptions become values by
// `explain(const SQLite::Exception&) -> Error`.
template <typename Explain, typename Work>
auto guarded(const std::string& path, Explain explain, Work work) -> Result<decltype(work())> {
    const IndexGuard guard;
    const auto cut_short = [&] {
        return fail(ErrorCode::database_unavailable, path + "-shm was cut short or replaced",
                    "the database is opened again");
    };
    try {
        auto result = work();
        if (guard.faulted()) return cut_short();
        return result;
    } catch (const SQLite::Exception& exception) {
        if (guard.faulted()) return cut_short();
        return fail(explain(exception));
    }
}

}  // namespace snakepit::shm
