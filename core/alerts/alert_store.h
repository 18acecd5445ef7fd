// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "alerts/alert_rows.h"
#include "base/result.h"
#include "platform/background_thread.h"
#include "sqlite/state_database.h"

namespace snakepit::shm {

// Alerts, rules and silences in the instance's state.db. One thread writes, in the order of the
// calls, so that the service thread never waits for the disk. What cannot be written is kept and
// tried again every few seconds, and with every call. Any thread.
class AlertStore {
  public:
    explicit AlertStore(std::shared_ptr<StateDatabase> database);
    ~AlertStore();  // after the last attempt to write
    AlertStore(const AlertStore&) = delete;
    AlertStore& operator=(const AlertStore&) = delete;

    // `then`, if any, is called on the store's thread with the result: on success the rows are on
    // the disk. `once`: it is not tried again.
    void write(AlertBatch batch, bool once, std::function<void(const Status&)> then = {});
    // Runs `work` on the store's thread.
    void post(std::function<void()> work) { thread_.post(std::move(work)); }
    void wait();  // until everything posted before is done
    // Why the last write failed; or empty.
    std::string problem() const;

    // These wait for the database: database_unavailable; calling them again is safe.
    Result<AlertSnapshot> load();
    // One alert more than asked for if there is another page.
    Result<std::vector<Alert>> history(const HistoryQuery& query);

  private:
    Status save(AlertBatch batch, bool once);
    Status write_now(const AlertBatch& batch);
    void tidy();
    void note(const Status& status);

    std::shared_ptr<StateDatabase> database_;
    AlertBatch unsaved_;  // the store's thread, with what follows
    RetentionClock retention_;
    std::uint64_t retention_of_ = 0;  // the opening of the database that it follows
    std::chrono::steady_clock::time_point next_tidying_;
    mutable std::mutex mutex_;
    std::string problem_;  // guarded by mutex_
    BackgroundThread thread_;
};

}  // namespace snakepit::shm
