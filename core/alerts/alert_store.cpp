// SPDX-License-Identifier: MIT
#include "alerts/alert_store.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <utility>

namespace snakepit::shm {

namespace {

constexpr auto kAgain = std::chrono::seconds(5);
constexpr auto kTidying = std::chrono::hours(1);
// While the database stays unavailable; then the oldest rows are dropped.
constexpr std::size_t kMostUnsaved = 2000;

}  // namespace

AlertStore::AlertStore(std::shared_ptr<StateDatabase> database)
    : database_(std::move(database)), thread_("shm-alerts", kAgain, [this] {
          (void)save({}, false);
          tidy();
      }) {}

AlertStore::~AlertStore() {
    post([this] { (void)save({}, false); });
    thread_.finish();
}

void AlertStore::write(AlertBatch batch, bool once, std::function<void(const Status&)> then) {
    post([this, batch = std::move(batch), once, then = std::move(then)]() mutable {
        const auto status = save(std::move(batch), once);
        if (then) then(status);
    });
}

void AlertStore::wait() {
    while (!thread_.drain(std::chrono::hours(1))) {
    }
}

std::string AlertStore::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

void AlertStore::note(const Status& status) {
    const std::lock_guard lock(mutex_);
    problem_ = status ? std::string() : status.error().sentence();
}

Result<AlertSnapshot> AlertStore::load() {
    AlertSnapshot out;
    SHM_TRY(database_->run([&](SQLite::Database& database) { out = read_snapshot(database); }));
    return out;
}

Result<std::vector<Alert>> AlertStore::history(const HistoryQuery& query) {
    std::vector<Alert> out;
    SHM_TRY(
        database_->run([&](SQLite::Database& database) { out = read_history(database, query); }));
    return out;
}

Status AlertStore::write_now(const AlertBatch& batch) {
    const auto status = database_->run([&](SQLite::Database& database) {
        SQLite::Transaction transaction(database);
        write_rows(database, batch);
        transaction.commit();
    });
    note(status);
    return status;
}

Status AlertStore::save(AlertBatch batch, bool once) {
    // In the order they came: a later row of an alert replaces an earlier one.
    if (!unsaved_.empty() && write_now(unsaved_)) unsaved_ = {};
    if (batch.empty()) return {};
    const auto written =
        unsaved_.empty() ? write_now(batch) : fail(ErrorCode::database_unavailable, problem());
    if (written || once) return written;
    unsaved_.add(std::move(batch));
    auto& alerts = unsaved_.alerts;
    if (alerts.size() > kMostUnsaved)
        alerts.erase(alerts.begin(), alerts.end() - static_cast<std::ptrdiff_t>(kMostUnsaved));
    return written;
}

void AlertStore::tidy() {
    const auto at = std::chrono::steady_clock::now();
    if (at < next_tidying_) return;
    next_tidying_ = at + kTidying;
    note(database_->run([&](SQLite::Database& database) {
        // Another file may have another clock.
        if (std::exchange(retention_of_, database_->opened()) != database_->opened())
            retention_ = {};
        remove_old(database, retention_, now());
    }));
}

}  // namespace snakepit::shm
