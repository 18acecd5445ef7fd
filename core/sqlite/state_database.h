// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

// An instance's state.db: policies, alerts, alert rules and silences. One connection, which all
// writers share. Any thread; calls wait for each other as SQLite's writers would.
class StateDatabase {
  public:
    explicit StateDatabase(std::string path) : path_(std::move(path)) {}
    ~StateDatabase() { close(); }
    StateDatabase(const StateDatabase&) = delete;
    StateDatabase& operator=(const StateDatabase&) = delete;

    // Opens the database, and creates it if it is missing. A damaged file is set aside, and `note`
    // names it. database_unavailable otherwise; calling it again is safe.
    Status open(std::string& note);
    // Runs `work` on the open database; it may throw SQLite::Exception. After a failure
    // (database_unavailable) the next call opens the file again.
    // `lasting`: what it commits is on the disk when run() returns; otherwise it outlives the
    // process, but perhaps not a power failure.
    Status run(const std::function<void(SQLite::Database&)>& work, bool lasting = true);
    // How often it was opened. On the thread of `work`, inside it.
    std::uint64_t opened() const { return opened_; }
    const std::string& path() const { return path_; }

  private:
    void prepare();
    void close();

    const std::string path_;
    std::mutex mutex_;  // for all below
    std::optional<SQLite::Database> database_;
    std::uint64_t opened_ = 0;
};

}  // namespace snakepit::shm
