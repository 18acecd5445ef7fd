// SPDX-License-Identifier: MIT
#include "events/event_recorder.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/time.h"
#include "events/event_database.h"
#include "events/event_detail.h"
#include "layout/event_kind.h"
#include "platform/background_thread.h"
#include "sqlite/database_file.h"

namespace snakepit::shm {

using namespace std::chrono_literals;
using layout::EventEntry;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kBatch = 1000;
constexpr std::size_t kOwnEvents = 8;  // with at most this many rows of its own before them
constexpr auto kRetentionEvery = 1s;   // how often a recorder with nothing to do looks for old rows
constexpr int kRetentionSteps = 20;    // transactions at a time; the rest follows
// After work the thread naps instead of sleeping: wake() stays cheap and batches become larger.
constexpr auto kNap = 5ms;
constexpr auto kLookAround = 1s;  // how often an idle recorder checks that its file is still there
constexpr auto kFirstPause = 50ms, kLongestPause = 2000ms;
constexpr auto kFarewell = 2s;
constexpr const char* kMoved = "its files were removed or replaced";

EventEntry gap(std::uint64_t first, std::uint64_t last) {
    auto entry = own_event(EventKind::gap);
    entry.seq = last;
    entry.count = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(last - first + 1, std::numeric_limits<std::uint32_t>::max()));
    return entry;
}

EventEntry reopened(const std::string& reason) {
    auto entry = own_event(EventKind::database_reopened);
    std::memcpy(entry.text, reason.data(), std::min(reason.size(), sizeof entry.text));
    return entry;
}

}  // namespace

struct EventRecorder::Private {
    enum class Step : std::uint8_t { more, drained, idle, failed };

    Private(EventRing& its_ring, std::uint64_t its_epoch, std::string its_path, Audit audit)
        : ring(its_ring),
          epoch(its_epoch),
          path(std::move(its_path)),
          durable(its_ring.committed()) {
        trail.key = std::move(audit.key);
        trail.head_file = std::move(audit.head_file);
        batch.resize(kBatch + kOwnEvents);
    }

    void run();
    Step step();
    Status open();
    Status drain();
    void reopen_because(std::string reason);
    Status remove_old();
    Status remove_surplus(std::uint64_t limit);
    Result<bool> remove_some(Timestamp cutoff);
    Step failed(const Error& error);
    void time(std::span<const EventEntry> committed);
    void publish(std::uint64_t rows);  // what the database holds now
    void healthy() {                   // under the mutex
        state.writable = true;
        state.problem.clear();
    }
    void rest(Step after);

    EventRing& ring;
    const std::uint64_t epoch;
    const std::string path;

    // The recorder's thread only.
    AuditTrail trail;  // outlives the database
    std::optional<EventDatabase> database;
    EventEntry removed{};  // by retention, and not recorded yet; kind 0: nothing
    Clock::time_point next_retention{};
    bool leaving = false;
    std::vector<EventEntry> batch;
    std::string reopen_reason;  // to be recorded in the new database
    Clock::duration pause = kFirstPause;

    std::atomic<std::uint64_t> max_bytes{0};
    layout::HistogramCells lags{};  // written by the recorder's thread alone
    std::atomic<std::int64_t> retention_ms{0};
    std::atomic<std::uint64_t> durable;  // everything up to it is in the database, or given up
    // True while the thread waits without a limit worth naming. Both sides exchange it, so that of
    // "I published" and "I fall asleep" the later one sees the earlier.
    std::atomic<bool> asleep{false};

    mutable std::mutex mutex;
    std::condition_variable wakeup;    // wake(), flush(), the destructor
    std::condition_variable progress;  // for flush()
    bool hurry = false;                // guarded by mutex: no nap, no pause
    bool stopping = false;             // guarded by mutex
    RecorderState state;               // guarded by mutex; lag is computed when asked for

    BackgroundThread thread{"shm-events"};
};

Status EventRecorder::Private::open() {
    remove_orphaned_log(path);
    SHM_ASSIGN(auto fresh, EventDatabase::open(path, epoch, &trail));
    database.emplace(std::move(fresh));
    // Lower than before if the file is new: everything in the ring is written again.
    publish(0);
    return {};
}

Status EventRecorder::Private::drain() {
    const auto expected = database->last() + 1;
    auto first = kOwnEvents;
    const auto count = ring.read(expected, std::span(batch).subspan(first));
    if (count > 0 && batch[kOwnEvents].seq > expected)
        batch[--first] = gap(expected, batch[kOwnEvents].seq - 1);
    for (const auto& finding : database->findings())
        if (first > 2) batch[--first] = finding;
    if (removed.kind != 0) batch[--first] = removed;
    if (!reopen_reason.empty()) batch[--first] = reopened(reopen_reason);
    const auto rows = count + kOwnEvents - first;
    if (rows == 0) return {};
    SHM_TRY(database->write(std::span(batch).subspan(first, rows)));
    // Only now: rows written to a database that has left its path are lost.
    if (database->moved()) {
        reopen_because(kMoved);
        return {};
    }
    reopen_reason.clear();
    removed = {};
    time(std::span(batch).subspan(kOwnEvents, count));
    publish(rows);
    return {};
}

void EventRecorder::Private::time(std::span<const EventEntry> committed) {
    const auto at = now().micros;
    for (const auto& entry : committed)
        lags.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, at - entry.time)) * 1000);
}

// What is removed is recorded with the next events.
Status EventRecorder::Private::remove_old() {
    const auto millis = retention_ms.load(std::memory_order_relaxed);
    const auto limit = max_bytes.load(std::memory_order_relaxed);
    if ((millis <= 0 && limit == 0) || Clock::now() < next_retention) return {};
    next_retention = Clock::now() + kRetentionEvery;
    if (millis > 0) {
        SHM_ASSIGN(const auto at, database->retention_time(millis));
        const Timestamp cutoff{at.micros - millis * 1000};
        for (int i = 0; i < kRetentionSteps; ++i) {
            SHM_ASSIGN(const auto any, remove_some(cutoff));
            if (!any) break;
        }
    }
    return limit > 0 ? remove_surplus(limit) : Status();
}

Status EventRecorder::Private::remove_surplus(std::uint64_t limit) {
    constexpr Timestamp kAnyAge{std::numeric_limits<std::int64_t>::max()};
    for (int i = 0; i < kRetentionSteps; ++i) {
        SHM_ASSIGN(const auto used, database->used_bytes());
        if (used <= limit) break;
        SHM_ASSIGN(const auto any, remove_some(kAnyAge));
        if (!any) break;
    }
    return {};
}

// False: no row older than `cutoff` can be removed.
Result<bool> EventRecorder::Private::remove_some(Timestamp cutoff) {
    SHM_ASSIGN(const auto rows, database->remove_before(cutoff));
    if (rows.rows == 0) return false;
    if (removed.kind == 0) removed = own_event(EventKind::events_removed);
    removed.count += static_cast<std::uint32_t>(rows.rows);
    removed.value = static_cast<std::uint64_t>(rows.up_to);
    return true;
}

void EventRecorder::Private::reopen_because(std::string reason) {
    database.reset();
    reopen_reason = std::move(reason);
}

void EventRecorder::Private::publish(std::uint64_t rows) {
    ring.set_committed(database->last());
    {
        const std::lock_guard lock(mutex);
        state.recorded += rows;
        if (rows > 0) healthy();
        durable.store(database->last(), std::memory_order_release);
    }
    progress.notify_all();
}

EventRecorder::Private::Step EventRecorder::Private::failed(const Error& error) {
    // SQLite's error about files that were exchanged does not apply to the new ones.
    const bool moved = database && database->moved();
    if (moved) reopen_reason = kMoved;
    database.reset();
    auto problem = error.sentence();
    if (!moved && error.code == ErrorCode::corruption_detected) {
        const auto aside = set_aside(path);
        if (aside)
            reopen_reason = "corrupt; now " + aside->substr(aside->find_last_of('/') + 1);
        else
            problem += "; " + aside.error().sentence();
    }
    const std::lock_guard lock(mutex);
    state.writable = false;
    state.problem = std::move(problem);
    return Step::failed;
}

EventRecorder::Private::Step EventRecorder::Private::step() {
    if (database && database->last() == ring.head() && database->moved()) reopen_because(kMoved);
    if (!database)
        if (auto opened = open(); !opened) return failed(opened.error());
    const auto before = database->last();
    if (auto drained = drain(); !drained) return failed(drained.error());
    if (!database) return Step::more;
    {
        const std::lock_guard lock(mutex);
        healthy();
    }
    pause = kFirstPause;
    const auto written = database->last() - before;
    if (written >= kBatch) return Step::more;
    if (auto done = remove_old(); !done) return failed(done.error());
    if (written > 0) return Step::drained;
    if (auto settled = database->settle(leaving); !settled) return failed(settled.error());
    return Step::idle;
}

void EventRecorder::Private::rest(Step after) {
    std::unique_lock lock(mutex);
    const auto disturbed = [this] { return hurry || stopping; };
    if (after == Step::drained) {
        wakeup.wait_for(lock, kNap, disturbed);
    } else if (after == Step::failed) {
        wakeup.wait_for(lock, pause, disturbed);
        pause = std::min<Clock::duration>(pause * 2, kLongestPause);
    } else {
        asleep.exchange(true, std::memory_order_acq_rel);
        if (ring.head() == durable.load(std::memory_order_relaxed))
            wakeup.wait_for(lock, kLookAround,
                            [&] { return disturbed() || !asleep.load(std::memory_order_relaxed); });
        asleep.exchange(false, std::memory_order_acq_rel);
    }
    hurry = false;
}

void EventRecorder::Private::run() {
    std::optional<Clock::time_point> deadline;
    while (true) {
        const auto done = step();
        const bool settled = leaving && done == Step::idle;
        {
            const std::lock_guard lock(mutex);
            leaving = stopping;
        }
        if (leaving) {
            if (!deadline) deadline = Clock::now() + kFarewell;
            if (settled || Clock::now() >= *deadline) return;
            if (done == Step::failed) std::this_thread::sleep_for(kFirstPause);
        } else if (done != Step::more) {
            rest(done);
        }
    }
}

EventRecorder::EventRecorder(EventRing& ring, std::uint64_t epoch, std::string path, Audit audit)
    : d_(std::make_unique<Private>(ring, epoch, std::move(path), std::move(audit))) {
    d_->thread.post([d = d_.get()] { d->run(); });
}

EventRecorder::~EventRecorder() {
    {
        const std::lock_guard lock(d_->mutex);
        d_->stopping = true;
    }
    d_->wakeup.notify_all();
    d_->thread.finish();
}

void EventRecorder::wake() {
    if (!d_->asleep.exchange(false, std::memory_order_acq_rel)) return;
    // The lock is held from `asleep` until the wait begins, so this cannot come in between.
    { const std::lock_guard lock(d_->mutex); }
    d_->wakeup.notify_one();
}

RecorderState EventRecorder::state() const {
    const std::lock_guard lock(d_->mutex);
    auto state = d_->state;
    const auto head = d_->ring.head();
    const auto durable = d_->durable.load(std::memory_order_acquire);
    state.lag = head > durable ? head - durable : 0;
    return state;
}

const layout::HistogramCells& EventRecorder::lags() const {
    return d_->lags;
}

void EventRecorder::set_retention(std::int64_t millis, std::uint64_t max_bytes) {
    d_->retention_ms.store(millis, std::memory_order_relaxed);
    d_->max_bytes.store(max_bytes, std::memory_order_relaxed);
}

bool EventRecorder::flush(int timeout_ms) {
    const auto target = d_->ring.head();
    std::unique_lock lock(d_->mutex);
    d_->hurry = true;
    d_->wakeup.notify_one();
    return d_->progress.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] {
        return d_->durable.load(std::memory_order_acquire) >= target;
    });
}

}  // namespace snakepit::shm
