// SPDX-License-Identifier: GPL-3.0-or-later
#include "synthetic_monitoring.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute;

// Median and spread (of the logarithm) of what an operation takes, and how many a second.
struct Pace {
    double nanos, spread;
    std::uint64_t a_second;
};
constexpr std::array<Pace, layout::kTimed> kPaces{{{38'000, 0.55, 120},
                                                   {64'000, 0.45, 60},
                                                   {310, 0.30, 900},
                                                   {240, 0.28, 900},
                                                   {92'000, 0.70, 40},
                                                   {1'900'000, 1.30, 8},
                                                   {5'200'000, 0.60, 300}}};

layout::Histogram spread_out(const Pace& pace, std::uint64_t total) {
    layout::Histogram out;
    std::array<double, 41> weights{};
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
        sum += weights[i] = std::exp(-0.5 * std::pow((static_cast<double>(i) - 20) / 5, 2));
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const double nanos = pace.nanos * std::exp(pace.spread * (static_cast<double>(i) - 20) / 5);
        const auto count =
            static_cast<std::uint64_t>(static_cast<double>(total) * weights[i] / sum);
        out.buckets[layout::bucket_of(static_cast<std::uint64_t>(nanos))] += count;
        out.count += count;
        out.sum += count * static_cast<std::uint64_t>(nanos);
    }
    return out;
}

Alert alert(std::uint64_t id, const char* rule, const char* title, AlertSeverity severity,
            const char* subject, double value, double threshold, const char* unit) {
    Alert out;
    out.id = id;
    out.rule = rule;
    out.title = title;
    out.severity = severity;
    out.state = Alert::State::firing;
    out.subject = subject;
    out.value = value;
    out.worst = value * 1.04;
    out.threshold = threshold;
    out.unit = unit;
    return out;
}

void began(Alert& alert, Timestamp now, std::int64_t ago, std::int64_t waited) {
    alert.since = {now.micros - ago};
    alert.fired_at = {now.micros - ago + waited};
}

AlertRule rule(const char* name, const char* title, AlertSeverity severity, const char* metric,
               double threshold, std::int64_t for_ms) {
    AlertRule out;
    out.name = name;
    out.title = title;
    out.severity = severity;
    out.metric = metric;
    out.threshold = threshold;
    out.for_ms = for_ms;
    out.built_in = true;
    return out;
}

}  // namespace

std::shared_ptr<const Timings> synthetic_timings(std::uint64_t polls) {
    auto timings = std::make_shared<Timings>();
    for (std::size_t i = 0; i < layout::kTimed; ++i)
        (*timings)[i] = spread_out(kPaces[i], kPaces[i].a_second * (3600 + polls / 4));
    return timings;
}

std::array<layout::TimedSample, layout::kTimed> synthetic_timed(std::uint64_t seq) {
    std::array<layout::TimedSample, layout::kTimed> out{};
    const double wave = 1 + 0.3 * std::sin(static_cast<double>(seq) / 25) +
                        0.1 * static_cast<double>(seq * 7919 % 13) / 13;
    for (std::size_t i = 0; i < layout::kTimed; ++i) {
        const auto& pace = kPaces[i];
        // Locks are quiet for a while now and then.
        if (i == static_cast<std::size_t>(layout::Timed::lock_wait) && seq / 40 % 3 == 1) continue;
        const auto at = [&](double deviations) {
            return static_cast<std::uint64_t>(pace.nanos * wave *
                                              std::exp(pace.spread * deviations));
        };
        out[i] = {pace.a_second * 10, at(0), at(1.28), at(2.33), at(3.09)};
    }
    return out;
}

std::vector<Alert> make_alerts(Timestamp now) {
    using S = AlertSeverity;
    std::vector<Alert> out;
    out.push_back(alert(41, "host-memory", "Shared memory of the host is running out", S::critical,
                        "", 0.934, 0.9, "ratio"));
    began(out.back(), now, 4 * kMinute + 12 * kSecond, kMinute);
    out.back().evidence =
        "14.9 of 16 GiB of /dev/shm are taken, 6.1 GiB of them by regions of this instance; it "
        "grew by 310 MiB in the last 10 minutes.";
    out.back().remedy =
        "Clean up what was left over (the Host page lists it), or make /dev/shm "
        "larger: mount -o remount,size=24G /dev/shm";
    out.push_back(alert(38, "reference-leak", "A program only takes references", S::warning,
                        "tensor_loader (4247), worker embedder", 118, 0, ""));
    began(out.back(), now, 26 * kMinute, 5 * kMinute);
    out.back().evidence =
        "118 references were taken in the last minute and none given back; it "
        "holds 4,212 now.";
    out.back().remedy = "Look at what the worker keeps: its regions are on the Processes page.";
    out.back().acknowledged_by = "maria";
    out.back().acknowledgement = "known, fixed in tonight's release";
    out.back().acknowledged_at = {now.micros - 11 * kMinute};
    out.push_back(alert(40, "lock-stuck", "A lock has been waited for too long", S::critical,
                        "shm_1795419107598758_0a2a8086c8613959", 34.2, 10, "seconds"));
    began(out.back(), now, 50 * kSecond, 10 * kSecond);
    out.back().evidence = "ingest (4358) has waited for 34.2 s; renderer (4284) holds the lock.";
    out.back().remedy = "snakepit-shm locks shows who holds it; release-locks takes it away.";
    out.push_back(alert(35, "orphans", "Regions were left behind", S::warning, "", 52, 20, ""));
    began(out.back(), now, 2 * kHour + 6 * kMinute, kMinute);
    out.back().evidence = "52 regions have no owner any more, 61 MiB; the oldest for 2 hours.";
    out.back().silenced = true;
    out.push_back(
        alert(33, "allocate-slow", "Allocations are slow", S::info, "", 0.0047, 0.002, "seconds"));
    began(out.back(), now, 40 * kMinute, 2 * kMinute);
    out.back().evidence = "99 of 100 allocations took up to 4.7 ms in the last ten seconds.";
    out.back().flapping = true;
    out.back().times_fired = 7;
    out.push_back(alert(42, "refusals", "Operations are refused for security", S::warning,
                        "www-data", 2, 3, "events"));
    out.back().state = Alert::State::pending;
    out.back().since = {now.micros - 9 * kSecond};
    out.back().evidence = "2 operations of www-data were refused in the last minute.";
    for (std::uint64_t i = 0; i < 4; ++i) {
        out.push_back(alert(30 - i, "recorder-lag", "Events wait to be recorded", S::warning, "",
                            0.4, 1, "seconds"));
        const auto ago = static_cast<std::int64_t>(i + 1) * 17 * kMinute;
        began(out.back(), now, ago, 30 * kSecond);
        out.back().state = Alert::State::resolved;
        out.back().resolved_at = {now.micros - ago + 3 * kMinute};
        out.back().worst = 3.8;
        out.back().evidence = "Half of the events of ten seconds were recorded after 0.4 s.";
    }
    return out;
}

std::vector<AlertRule> make_rules() {
    using S = AlertSeverity;
    std::vector<AlertRule> rules{
        rule("host-memory", "Shared memory of the host is running out", S::critical,
             "host_shm_ratio", 0.9, 60'000),
        rule("memory", "The memory limit is near", S::warning, "memory_ratio", 0.85, 60'000),
        rule("regions", "The region limit is near", S::warning, "regions_ratio", 0.85, 60'000),
        rule("orphans", "Regions were left behind", S::warning, "orphan_regions", 20, 60'000),
        rule("reference-leak", "A program only takes references", S::warning,
             "client_reference_growth", 50, 300'000),
        rule("lock-stuck", "A lock has been waited for too long", S::critical,
             "region_lock_wait_seconds", 10, 0),
        rule("allocate-slow", "Allocations are slow", S::info, "allocate_seconds_p99", 0.002,
             120'000),
        rule("fragmentation", "Arenas are fragmented", S::info, "fragmentation_ratio", 0.5,
             600'000),
        rule("recorder-lag", "Events wait to be recorded", S::warning, "recorder_lag_seconds_p50",
             1, 30'000),
        rule("big-database", "The event database is large", S::info, "database_bytes",
             2.0 * (1ULL << 30), 0)};
    rules[0].remedy = "Clean up what was left over, or make /dev/shm larger.";
    rules[0].resolve_threshold = 0.85;
    rules[4].group = AlertGroup::process;
    rules[5].group = AlertGroup::region;
    rules[7].enabled = false;
    rules[9].built_in = false;
    AlertRule refusals;
    refusals.name = "refusals";
    refusals.title = "Operations are refused for security";
    refusals.event = EventKind::refused;
    refusals.comparison = AlertComparison::at_least;
    refusals.threshold = 3;
    refusals.group = AlertGroup::user;
    refusals.built_in = true;
    rules.push_back(refusals);
    return rules;
}

void SyntheticMonitoring::count() {
    std::uint64_t firing = 0, alone = 0;
    for (const auto& alert : alerts_) {
        firing += alert.state == Alert::State::firing;
        alone += alert.state == Alert::State::firing && alert.acknowledged_by.empty();
    }
    world_.set_alerts(firing, alone);
}

Status SyntheticMonitoring::refused() {
    if (!refusal_) return {};
    auto error = std::move(*refusal_);
    refusal_.reset();
    return fail(std::move(error));
}

void SyntheticMonitoring::set_alerts(std::vector<Alert> alerts) {
    const std::lock_guard lock(mutex_);
    alerts_ = std::move(alerts);
    count();
}

void SyntheticMonitoring::resolve(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    for (auto& alert : alerts_)
        if (alert.id == id) alert.state = Alert::State::resolved, alert.resolved_at = now();
    count();
}

void SyntheticMonitoring::refuse_next(Error error) {
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(error);
}

std::vector<std::pair<std::uint64_t, std::string>> SyntheticMonitoring::acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
}

std::vector<AlertRule> SyntheticMonitoring::rules_set() const {
    const std::lock_guard lock(mutex_);
    return rules_set_;
}

Result<std::vector<Alert>> SyntheticMonitoring::alerts() {
    ++lists_;
    const std::lock_guard lock(mutex_);
    return alerts_;
}

Result<AlertPage> SyntheticMonitoring::history(std::uint64_t before, int limit) {
    AlertPage page;
    const std::uint64_t newest = before == 0 ? 250 : before - 1;
    const auto at = now();
    for (auto id = newest; id > 0 && static_cast<int>(page.alerts.size()) < limit; --id) {
        auto past = make_alerts(at)[id % 6];
        past.id = id;
        past.state = Alert::State::resolved;
        past.silenced = past.flapping = false;
        const auto ago = static_cast<std::int64_t>(251 - id) * 37 * kMinute;
        began(past, at, ago, kMinute);
        past.resolved_at = {at.micros - ago + static_cast<std::int64_t>(id % 9 + 2) * kMinute};
        page.alerts.push_back(std::move(past));
        page.before = id;
    }
    page.more = page.before > 1;
    return page;
}

Result<std::vector<AlertRule>> SyntheticMonitoring::rules() {
    const std::lock_guard lock(mutex_);
    return rules_;
}

Result<std::vector<AlertSilence>> SyntheticMonitoring::silences() {
    const std::lock_guard lock(mutex_);
    return silences_;
}

Status SyntheticMonitoring::acknowledge(std::uint64_t id, const std::string& comment) {
    const std::lock_guard lock(mutex_);
    SHM_TRY(refused());
    acknowledged_.emplace_back(id, comment);
    for (auto& alert : alerts_)
        if (alert.id == id)
            alert.acknowledged_by = "root", alert.acknowledgement = comment,
            alert.acknowledged_at = now();
    count();
    return {};
}

Status SyntheticMonitoring::silence(const AlertSilence& silence) {
    const std::lock_guard lock(mutex_);
    SHM_TRY(refused());
    silences_.push_back(silence);
    silences_.back().id = next_silence_++;
    silences_.back().by = "root";
    silences_.back().made_at = now();
    for (auto& alert : alerts_)
        alert.silenced |= (silence.rule.empty() || silence.rule == alert.rule) &&
                          (silence.subject.empty() || silence.subject == alert.subject);
    return {};
}

Status SyntheticMonitoring::unsilence(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(silences_, [id](const AlertSilence& silence) { return silence.id == id; });
    return {};
}

Status SyntheticMonitoring::set_rule(const AlertRule& rule) {
    const std::lock_guard lock(mutex_);
    SHM_TRY(refused());
    rules_set_.push_back(rule);
    for (auto& known : rules_)
        if (known.name == rule.name) known = rule;
    return {};
}

// The higher the threshold, the fewer.
Result<Backtest> SyntheticMonitoring::backtest(const AlertRule& rule, std::int64_t span_ms) {
    Backtest past;
    past.to = now();
    past.from = {past.to.micros - span_ms * 1000};
    past.points = 10'080;
    const auto count = static_cast<int>(std::clamp(14 - (rule.threshold - 0.9) * 200, 0.0, 40.0));
    for (int i = 0; i < count; ++i) {
        BacktestFiring firing;
        firing.fired_at = {past.from.micros + i * 11 * kHour};
        firing.resolved_at = {firing.fired_at.micros + (i % 5 + 1) * 7 * kMinute};
        firing.worst = rule.threshold + 0.01 * (i % 6);
        past.firings.push_back(firing);
    }
    return past;
}

Result<PerformanceReport> SyntheticMonitoring::performance() {
    const std::lock_guard lock(mutex_);
    return report;
}

}  // namespace snakepit::shm::ui
