// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sqlite/guarded.h"

namespace snakepit::shm {

// The kind of database that a reader expects.
struct DatabaseKind {
    std::string_view what;   // "event database"
    std::string_view table;  // one that every version has
    int newest = 0;          // the newest schema that can be read
};

// A connection that reads events.db or metrics.db while its writer writes, replaces or removes it.
// One thread at a time, except interrupt().
class ReadConnection {
  public:
    ReadConnection(std::string path, const DatabaseKind& kind)
        : path_(std::move(path)), kind_(kind) {}
    ~ReadConnection() { close(); }
    ReadConnection(const ReadConnection&) = delete;
    ReadConnection& operator=(const ReadConnection&) = delete;

    // database_unavailable when the file is missing or is not a database of this kind.
    Status open();
    void close() { replace(nullptr); }
    // Runs `work(SQLite::Database&)`, which may throw SQLite::Exception, and once more with a fresh
    // connection when that fails: the file may have been replaced while it was read.
    template <typename Work>
    auto run(Work work) -> Result<decltype(work(std::declval<SQLite::Database&>()))> {
        for (bool last_attempt = false;; last_attempt = true) {
            if (stale()) SHM_TRY(open());
            const auto explained = [&](const SQLite::Exception& e) { return explain(e); };
            auto result = guarded(path_, explained, [&] { return work(*connection_); });
            if (result || result.error().code == ErrorCode::timeout) return result;
            close();
            if (last_attempt) return result;
        }
    }
    void interrupt();  // any thread: makes a running statement fail with `timeout`
    const std::string& path() const { return path_; }

  private:
    using Connection = std::unique_ptr<SQLite::Database>;
    void replace(Connection fresh);
    bool stale() const;
    Error explain(const SQLite::Exception& exception) const;
    Connection connect(bool immutable) const;

    std::string path_;
    DatabaseKind kind_;
    std::mutex swap_;        // held while `connection_` changes, and by interrupt()
    Connection connection_;  // null: to be opened by the next run()
    bool immutable_ = false;
    LogFiles log_;
};

}  // namespace snakepit::shm
