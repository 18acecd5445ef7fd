// SPDX-License-Identifier: MIT
#include "telemetry/metrics_recorder.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "base/time.h"
#include "platform/background_thread.h"
#include "sqlite/database_file.h"
#include "telemetry/metrics_store.h"

namespace snakepit::shm {

using namespace std::chrono_literals;
using layout::Sample;

namespace {

constexpr auto kEvery = 10s;

}  // namespace

struct MetricsRecorder::Private {
    Private(std::string its_path, Source its_source)
        : path(std::move(its_path)), source(std::move(its_source)) {}

    void step();
    Status write();
    Status open();
    void drop_known(std::vector<Sample>& samples) const;
    void failed(const Error& error);

    const std::string path;
    const Source source;

    // The thread's only.
    std::optional<MetricsStore> store;
    std::uint64_t last = 0;     // number of the newest sample that is in this database
    std::uint64_t written = 0;  // of the newest that ever was in one
    Timestamp known;            // samples up to then were in the database when it was opened

    std::atomic<std::uint64_t> max_bytes{kDefaultBytes};
    mutable std::mutex mutex;
    MetricsState state;  // guarded by mutex

    BackgroundThread thread{"shm-metrics", kEvery, [this] { step(); }};
};

Status MetricsRecorder::Private::open() {
    remove_orphaned_log(path);
    SHM_ASSIGN(auto fresh, MetricsStore::open(path));
    SHM_ASSIGN(known, fresh.newest());
    store.emplace(std::move(fresh));
    last = 0;  // the samples in the ring are read again
    return {};
}

// The samples that an earlier manager or connection wrote. Found by time: in a new registry their
// numbers begin with 1 again.
void MetricsRecorder::Private::drop_known(std::vector<Sample>& samples) const {
    std::erase_if(samples, [&](const Sample& sample) { return sample.time <= known.micros; });
}

Status MetricsRecorder::Private::write() {
    const auto limit = max_bytes.load(std::memory_order_relaxed);
    if (limit == 0) {
        store.reset();
        return {};
    }
    if (store && store->moved()) store.reset();
    if (!store) SHM_TRY(open());
    auto samples = source(last);
    const auto newest = samples.empty() ? last : samples.back().seq;
    const bool gap = written > 0 && !samples.empty() && samples.front().seq > written + 1;
    const auto missed = gap ? samples.front().seq - written - 1 : 0;
    if (last == 0) drop_known(samples);
    SHM_TRY(store->add(samples));
    last = newest;
    written = std::max(written, newest);
    SHM_ASSIGN(const auto at, store->retention_time());
    const auto retained = store->retain(at, limit);
    const std::lock_guard lock(mutex);
    state.recorded += samples.size();
    state.lost += missed;
    state.bytes = store->bytes();
    return retained;
}

void MetricsRecorder::Private::failed(const Error& error) {
    const bool moved = store && store->moved();
    store.reset();
    auto problem = error.sentence();
    if (!moved && error.code == ErrorCode::corruption_detected)
        if (const auto aside = set_aside(path); !aside) problem += "; " + aside.error().sentence();
    const std::lock_guard lock(mutex);
    state.writable = false;
    state.problem = std::move(problem);
}

void MetricsRecorder::Private::step() {
    if (auto done = write(); !done) return failed(done.error());
    const std::lock_guard lock(mutex);
    state.writable = store.has_value();
    state.problem.clear();
}

MetricsRecorder::MetricsRecorder(std::string path, Source source)
    : d_(std::make_unique<Private>(std::move(path), std::move(source))) {}

MetricsRecorder::~MetricsRecorder() {
    d_->thread.post([d = d_.get()] { d->step(); });
}

void MetricsRecorder::set_max_bytes(std::uint64_t bytes) {
    d_->max_bytes.store(bytes, std::memory_order_relaxed);
}

MetricsState MetricsRecorder::state() const {
    const std::lock_guard lock(d_->mutex);
    return d_->state;
}

bool MetricsRecorder::flush(int timeout_ms) {
    d_->thread.post([d = d_.get()] { d->step(); });
    return d_->thread.drain(std::chrono::milliseconds(timeout_ms)) && state().problem.empty();
}

}  // namespace snakepit::shm
