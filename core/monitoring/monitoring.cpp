// SPDX-License-Identifier: MIT
#include "monitoring/monitoring.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "layout/registry_reader.h"

#include <fmt/format.h>

#include "base/version.h"
#include "host_history/history_schema.h"

namespace snakepit::shm {

using layout::Sample;
using layout::Timed;

namespace {

std::uint64_t size_of(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// What a recorder's thread reads samples from: a registry of its own, opened when there is one.
MetricsRecorder::Source ring_of(const std::string& path) {
    auto reader = std::make_shared<std::optional<RegistryReader>>();
    return [path, reader](std::uint64_t after) {
        if (!*reader)
            if (auto opened = RegistryReader::open(path)) reader->emplace(std::move(*opened));
        return *reader ? (*reader)->samples(after) : std::vector<Sample>();
    };
}

}  // namespace

Monitoring::Monitoring(ServiceState& state, const RegionService& service,
                       const EventRecorder& recorder)
    : state_(state),
      recorder_(recorder),
      performance_(state.registry, state.backend),
      survey_(state),
      watched_(state, service),
      telemetry_({state.paths.registry(), std::string(kVersionText), state.paths.instance,
                  std::string(state.backend.name())},
                 state.registry.ring().head()),
      health_(std::make_unique<HealthLogger>(state, service, recorder)),
      keeper_(state.paths.metrics_db(), ring_of(state.paths.registry())) {}

void Monitoring::configure(const Config& config) {
    enabled_ = config.performance_monitoring;
    keeper_.set_max_bytes(config.metrics_max_size);
    if (!host_) host_.emplace(host_history_db(state_.paths), SurveyOptions{config.shm_path});
    host_->set_interval(config.host_history_interval_ms);
    const auto& labels = config.telemetry.labels;
    host_names_ = std::find(labels.begin(), labels.end(), kHostLabel) != labels.end();
    host_surveys_ = 0;
    host_use_.reset();
    host_subjects_.clear();
    watched_.configure(config);
    if (alerts_) alerts_->configure(config.alerts);
    telemetry_.configure(config.telemetry, config.telemetry_enabled);
    subjects_.clear();
}

void Monitoring::count_locks(Sample& sample) const {
    const auto& locks = state_.synchronizer;
    sample.locks_held = locks.held_count();
    sample.lock_waiters = locks.waiting_count();
    for (const auto& longest : locks.longest_waits(1))
        sample.longest_lock_wait =
            static_cast<std::uint64_t>(monotonic_nanos() - longest.asked) / 1000;
}

void Monitoring::measure_files(Sample& sample) const {
    const auto arenas = state_.allocator.pool.extent();
    sample.arenas = state_.allocator.pool.count();
    sample.arena_bytes = arenas.size;
    sample.arena_span = arenas.span;
    sample.arena_holes = arenas.span - arenas.used;
    const auto database = state_.paths.events_db();
    sample.database_bytes = size_of(database);
    sample.database_log_bytes = size_of(database + "-wal");
    const auto recorder = recorder_.state();
    sample.recorder_lag = recorder.lag;
    sample.recorder_writable = recorder.failing() ? 0 : 1;
    sample.events_lost = state_.registry.state().events_lost.load(std::memory_order_relaxed);
}

// The longest turn is of those that may be long: a request of a connection, a tick of the clock
// with what goes on beside, and a part of the work that a tick could not finish.
void Monitoring::measure_service(Sample& sample) const {
    auto& longest = state_.stats.longest_slice;
    sample.longest_turn = static_cast<std::uint64_t>(std::exchange(longest, 0)) / 1000;
    // The first sample is taken by the thread that starts the manager.
    if (std::this_thread::get_id() == starter_) return;
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    sample.service_cpu = static_cast<std::uint64_t>(used.tv_sec) * 1'000'000 +
                         static_cast<std::uint64_t>(used.tv_nsec) / 1000;
}

Sample Monitoring::counts() const {
    const auto totals = state_.totals();
    Sample sample{};
    sample.regions = totals.regions;
    sample.orphans = totals.orphans;
    sample.orphan_bytes = totals.orphan_bytes;
    sample.quarantined = totals.quarantined;
    sample.damaged = totals.damaged;
    sample.inconsistent = totals.inconsistent;
    sample.idle_regions = totals.idle_regions;
    sample.idle_bytes = totals.idle_bytes;
    sample.bytes_used = state_.allocator.bytes_used();
    sample.bytes_reserved = state_.allocator.bytes_reserved();
    sample.references = totals.references;
    sample.takes = totals.takes;
    sample.clients = state_.counter.clients().size();
    sample.leak_suspects = watched_.growing().size();
    sample.allocations = totals.allocations;
    sample.deallocations = totals.deallocations;
    sample.allocation_failures = totals.allocation_failures;
    sample.errors = totals.errors;
    sample.health_problems = health_->problems();
    sample.refusals = totals.refusals;
    sample.deadlocks = totals.deadlocks;
    sample.lock_timeouts = totals.lock_timeouts;
    sample.max_regions = state_.allocator.limits.max_regions;
    sample.max_total_memory = state_.allocator.limits.max_total_memory;
    count_locks(sample);
    measure_files(sample);
    measure_service(sample);
    return sample;
}

void Monitoring::collect_times() {
    auto& registry = state_.registry;
    state_.counter.sweep_times([&](Timed what, std::uint32_t bucket, std::uint64_t times) {
        registry.timed(what).add(layout::bucket_middle(bucket), times);
    });
    const auto lags = layout::Histogram::of(recorder_.lags());
    registry.timed(Timed::recorder_lag).add_counts(lags.since(lags_));
    lags_ = lags;
}

void Monitoring::on_second() {
    health_->on_second(now().micros);
    auto sample = counts();
    sample.alerts_firing = alerts_->firing();
    sample.alerts_unacknowledged = alerts_->unacknowledged();
    if (enabled_) {
        collect_times();
        sample = performance_.sample(sample);
        // Trends are of time that passed.
        sample.time = state_.registry.time();
        history_.add(sample);
        subjects_ = watched_.values();
    } else {
        subjects_.clear();
    }
    sample.time = state_.registry.wall(state_.registry.time()).micros;
    look_at_host();
    subjects_.insert(subjects_.end(), host_subjects_.begin(), host_subjects_.end());
    alerts_->evaluate(sample, subjects_);
    publish();
}

void Monitoring::run_slice() {
    if (!enabled_) return;
    const auto at = state_.registry.time();
    if (survey_.run_slice(at)) watched_.surveyed(survey_.last(), at);
}

void Monitoring::look_at_host() {
    if (host_->surveys() == host_surveys_) return;
    const auto state = host_->state();
    host_surveys_ = state.surveys;
    host_subjects_.clear();
    for (const auto& growth : state.growing)
        host_subjects_.push_back({"host_program_growth_bytes", growth.program,
                                  static_cast<double>(growth.bytes), growth.sentence()});
    if (state.interval_ms == 0) return host_use_.reset();
    const auto& totals = state.last;
    host_use_ = {totals.time,
                 totals.all.segments,
                 totals.all.bytes,
                 totals.all.left_segments,
                 totals.all.left_bytes,
                 totals.unreadable,
                 {}};
    if (!host_names_) return;
    for (const auto by : kTotalsBy) {
        auto& label = host_use_->by_name.emplace_back();
        label.label = to_string(by);
        for (const auto& total : totals.of(by))
            label.values.push_back({total.name, total.segments, total.bytes, total.left_bytes});
    }
}

void Monitoring::publish() {
    ManagerStats figures;
    for (const auto& [type, count] : state_.errors.by_type())
        figures.errors.emplace_back(to_string(type), count);
    for (const auto& alert : alerts_->live())
        figures.alerts.push_back({alert.rule, std::string(to_string(alert.severity)),
                                  std::string(to_string(alert.state))});
    figures.host = host_use_;
    telemetry_.hand_over(std::move(figures));
    for (const auto& news : telemetry_.take_news()) {
        state_.registry.record(
            {.kind = news.works ? EventKind::telemetry_works : EventKind::telemetry_failed,
             .result = news.works ? ErrorCode{} : news.error.code,
             .pid = ::getpid(),
             .uid = ::geteuid(),
             .text = news.text});
        state_.alarm(news.works ? news.text : fmt::format("{}: {}", news.text, news.error.remedy));
    }
}

}  // namespace snakepit::shm
