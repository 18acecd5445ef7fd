// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/Exception.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "base/result.h"
#include "platform/fault_guard.h"

namespace SQLite {
class Database;
}

namespace snakepit::shm {

// Surrounds every use of a connection. SQLite maps the log's index (events.db-shm); if another
// program replaces the database or truncates that file, reading it ends the process with SIGBUS.
// Under the guard SQLite reads zeros instead; its results after a fault are invalid: close the
// connection. SQLite does not report where it maps the file, so the guard covers all addresses.
class IndexGuard : public FaultGuard {
  public:
    // The pointer is never dereferenced.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    IndexGuard() : FaultGuard(reinterpret_cast<void*>(kLowest), kHighest - kLowest) {}

  private:
    static constexpr std::uintptr_t kLowest = 4096;
    static constexpr std::uintptr_t kHighest = std::uintptr_t{1} << 48;
};

// The files that SQLite keeps beside an open database, as they are at the path now.
struct LogFiles {
    std::uint64_t log = 0, index = 0;  // inodes; 0: absent, or cut short
    friend bool operator==(const LogFiles&, const LogFiles&) = default;
};
LogFiles log_files(const std::string& path);

// A transaction that read zeros in the index read the wrong pages: it is rolled back instead of
// committed. Once for each connection that writes.
void refuse_commits_after_faults(SQLite::Database& database);
// Before a connection is closed after an error: closing would write back pages by the index, and
// then truncate the log.
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
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            return guard.faulted() ? Status(cut_short()) : Status();
        } else {
            auto result = work();
            if (guard.faulted()) return cut_short();
            return result;
        }
    } catch (const SQLite::Exception& exception) {
        if (guard.faulted()) return cut_short();
        return fail(explain(exception));
    }
}

}  // namespace snakepit::shm
