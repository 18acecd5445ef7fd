// SPDX-License-Identifier: MIT
#include "host_history/host_recorder.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <mutex>
#include <optional>
#include <utility>

#include "host_history/history_store.h"
#include "platform/background_thread.h"
#include "sqlite/database_file.h"

namespace snakepit::shm {

using namespace std::chrono_literals;

namespace {

constexpr auto kGlance = 1s;  // between two looks whether a survey is due

std::int64_t cpu_of_this_thread() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * 1'000 * kNanosPerMilli + used.tv_nsec;
}

}  // namespace

std::int64_t pause_after(std::int64_t cpu_nanos, std::int64_t interval_ms) {
    return std::max(interval_ms, cpu_nanos * HostRecorder::kBudget / kNanosPerMilli);
}

struct HostRecorder::Private {
    Private(std::string its_path, SurveyOptions its_options)
        : path(std::move(its_path)), options(std::move(its_options)) {}

    void step();
    void set_interval(std::int64_t millis);
    Status record();
    Status open();
    void failed(const Error& error);

    const std::string path;
    SurveyOptions options;

    // The thread's only.
    std::int64_t interval = 0, due = 0;  // milliseconds; of the boot clock
    std::optional<HistoryStore> store;
    SegmentMemory memory;
    GrowthWatch growth;
    bool loaded = false;  // `memory` and `growth` know what is in the database

    mutable std::mutex mutex;
    HostRecorderState state;  // guarded by mutex

    std::optional<BackgroundThread> thread;  // while there is something to record
};

void HostRecorder::Private::set_interval(std::int64_t millis) {
    interval = millis;
    due = boot_micros() / 1000 + millis;
}

Status HostRecorder::Private::open() {
    remove_orphaned_log(path);
    SHM_ASSIGN(auto fresh, HistoryStore::open(path));
    if (!loaded) {
        const auto at = now();
        SHM_TRY(fresh.load(memory, at));
        SHM_ASSIGN(const auto rows, fresh.since({at.micros - GrowthWatch::kLongest * 1'000'000}));
        for (const auto& row : rows) growth.add(row);
        loaded = true;
    }
    store.emplace(std::move(fresh));
    return {};
}

Status HostRecorder::Private::record() {
    if (store && store->moved()) store.reset();
    if (!store) SHM_TRY(open());
    options.memory = &memory;
    SHM_ASSIGN(const auto survey, survey_host(options));
    const auto forgotten = memory.follow(survey);
    auto totals = totals_of(survey, memory);
    growth.add(totals);
    {
        const std::lock_guard lock(mutex);
        ++state.surveys;
        state.last = totals;
        state.growing = growth.growing();
    }
    SHM_TRY(store->add(totals));
    SHM_TRY(store->save(memory, forgotten));
    SHM_TRY(store->retain());
    const std::lock_guard lock(mutex);
    state.bytes = store->bytes();
    state.problem.clear();
    return {};
}

void HostRecorder::Private::failed(const Error& error) {
    const bool moved = store && store->moved();
    store.reset();
    auto problem = error.sentence();
    if (!moved && error.code == ErrorCode::corruption_detected)
        if (const auto aside = set_aside(path); !aside) problem += "; " + aside.error().sentence();
    const std::lock_guard lock(mutex);
    state.problem = std::move(problem);
}

void HostRecorder::Private::step() {
    const auto at = boot_micros() / 1000;
    if (interval == 0 || at < due) return;
    const auto before = cpu_of_this_thread();
    if (const auto done = record(); !done) failed(done.error());
    const auto used = cpu_of_this_thread() - before;
    const auto pause = pause_after(used, interval);
    due = pause > interval ? at + pause : std::max(due + interval, at);
    const std::lock_guard lock(mutex);
    state.cpu_nanos = used;
    state.pause_ms = pause;
}

HostRecorder::HostRecorder(std::string path, SurveyOptions options)
    : d_(std::make_unique<Private>(std::move(path), std::move(options))) {
    d_->options.quick = true;
    d_->options.payers = true;
}

HostRecorder::~HostRecorder() = default;

void HostRecorder::set_interval(std::int64_t millis) {
    if (millis != 0) millis = std::max(millis, kShortestInterval);
    {
        const std::lock_guard lock(d_->mutex);
        if (d_->state.interval_ms == millis) return;
        d_->state.interval_ms = millis;
        if (millis == 0) d_->state.growing.clear();
    }
    if (!d_->thread) {
        if (millis == 0) return;
        d_->thread.emplace("shm-host", kGlance, [d = d_.get()] { d->step(); });
    }
    d_->thread->post([d = d_.get(), millis] { d->set_interval(millis); });
}

std::uint64_t HostRecorder::surveys() const {
    const std::lock_guard lock(d_->mutex);
    return d_->state.surveys;
}

HostRecorderState HostRecorder::state() const {
    const std::lock_guard lock(d_->mutex);
    return d_->state;
}

}  // namespace snakepit::shm
