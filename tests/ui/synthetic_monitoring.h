// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts, timings and the host's segments of the synthetic world.
#pragma once

#include <mutex>
#include <optional>

#include "synthetic.h"

namespace snakepit::shm::ui {

// A day's worth: some firing in every way, one pending, some resolved.
std::vector<Alert> make_alerts(Timestamp now);
std::vector<AlertRule> make_rules();
// Of a busy host: ours, PostgreSQL's, Chromium's, Python's, and what was left behind.
HostSurvey make_survey(std::size_t segments);
// What operations took until the `polls`th look.
std::shared_ptr<const Timings> synthetic_timings(std::uint64_t polls);
std::array<layout::TimedSample, layout::kTimed> synthetic_timed(std::uint64_t seq);

// Keeps what it is told, as a manager would. Thread-safe; the world's samples count its alerts.
class SyntheticMonitoring : public MonitoringPort {
  public:
    explicit SyntheticMonitoring(SyntheticWorld& world) : world_(world) {}
    Result<std::vector<Alert>> alerts() override;
    Result<AlertPage> history(std::uint64_t before, int limit) override;
    Result<std::vector<AlertRule>> rules() override;
    Result<std::vector<AlertSilence>> silences() override;
    Status acknowledge(std::uint64_t id, const std::string& comment) override;
    Status silence(const AlertSilence& silence) override;
    Status unsilence(std::uint64_t id) override;
    Status set_rule(const AlertRule& rule) override;
    Result<Backtest> backtest(const AlertRule& rule, std::int64_t span_ms) override;
    Result<PerformanceReport> performance() override;

    void set_alerts(std::vector<Alert> alerts);
    void resolve(std::uint64_t id);
    void refuse_next(Error error);
    int lists() const { return lists_; }
    // What it was told, in order.
    std::vector<std::pair<std::uint64_t, std::string>> acknowledged() const;
    std::vector<AlertRule> rules_set() const;
    PerformanceReport report;  // set before it is asked for

  private:
    void count();
    Status refused();

    mutable std::mutex mutex_;
    SyntheticWorld& world_;
    std::vector<Alert> alerts_;
    std::vector<AlertRule> rules_ = make_rules(), rules_set_;
    std::vector<AlertSilence> silences_;
    std::vector<std::pair<std::uint64_t, std::string>> acknowledged_;
    std::optional<Error> refusal_;
    std::uint64_t next_silence_ = 1;
    std::atomic<int> lists_{0};
};

// Removes what it is told to; what somebody uses stays.
class SyntheticSurvey : public HostPort {
  public:
    Result<HostSurvey> survey() override;
    Result<std::vector<HostSeries>> history(TotalsBy by, Timestamp from, Timestamp to, std::size_t,
                                            std::size_t) override;
    Result<std::optional<HostRecord>> at(Timestamp time) override;
    Result<std::vector<HostCleanItem>> rehearse(const std::vector<std::string>& names) override;
    Result<std::vector<HostCleanItem>> clean(const std::vector<HostSegment>& segments) override;

    void set_survey(HostSurvey survey);
    void use(const std::string& name);       // somebody maps it from now on
    void exchange(const std::string& name);  // another one has its name from now on
    // What it was asked for, call by call: the names it was given.
    std::vector<std::vector<std::string>> rehearsals() const;
    std::vector<std::vector<std::string>> runs() const;
    int surveys() const { return surveys_; }

  private:
    mutable std::mutex mutex_;
    HostSurvey survey_;
    std::vector<std::vector<std::string>> rehearsals_, runs_;
    std::atomic<int> surveys_{0};
};

}  // namespace snakepit::shm::ui
