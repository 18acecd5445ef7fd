// SPDX-License-Identifier: GPL-3.0-or-later
// What the monitor needs from the world, as small interfaces: the live ones are in live_sources.h,
// live_audit.h and live_monitoring.h, synthetic ones in tests/ui.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alerts/alert_api.h"
#include "audit/report.h"
#include "base/policy.h"
#include "base/region.h"
#include "base/result.h"
#include "events/event_reader.h"
#include "host_history/history_reader.h"
#include "layout/registry_reader.h"
#include "security/policy_text.h"
#include "survey/host_survey.h"
#include "telemetry/metrics_reader.h"
#include "ui/models/arenas.h"

namespace snakepit::shm::ui {

// Everything timed since the registry was made, by layout::Timed.
using Timings = std::array<layout::Histogram, layout::kTimed>;

// What one look at the registry brought.
struct SourceTick {
    RegistryDelta delta;
    std::vector<ClientInfo> clients;
    std::vector<layout::Sample> samples;  // new ones only, oldest first
    std::int64_t manager_pid = 0;
    Timestamp started_at;
    Timestamp heartbeat;
    std::uint64_t event_head = 0;
    std::uint64_t events_lost = 0;
    std::shared_ptr<const Timings> timings;  // null: not known
};

// Called from one worker thread.
class RegionSource {
  public:
    virtual ~RegionSource() = default;
    virtual Result<SourceTick> poll() = 0;
};

// Called from one worker thread, except interrupt().
class EventSource {
  public:
    virtual ~EventSource() = default;
    virtual Result<std::vector<EventRow>> query(const EventQuery& query) = 0;
    virtual void interrupt() = 0;  // any thread
};

// The bytes of one region. It is mapped only while they are copied. One thread at a time.
class ByteSource {
  public:
    virtual ~ByteSource() = default;
    // From `offset` on, at most `size`; fewer at the end of the region. Decrypted, where the region
    // is encrypted.
    virtual Result<std::string> read(std::uint64_t offset, std::size_t size) = 0;
};

// Called from several worker threads at once.
class ManagerPort {
  public:
    virtual ~ManagerPort() = default;
    virtual Result<RegionInfo> info(const RegionId& id) = 0;
    // When a process began, in clock ticks since boot; 0: not known.
    virtual std::int64_t start_time_of(std::int64_t pid) = 0;
    virtual Result<CleanupResult> cleanup(const CleanupRequest& request) = 0;
    // True: the memory is freed; false: it is freed with the last reference.
    virtual Result<bool> deallocate(const RegionId& id, bool force) = 0;
    // As a program that is connected for as long as it is kept; of an audited region each read is
    // recorded.
    virtual Result<std::unique_ptr<ByteSource>> bytes_of(const RegionId& id) = 0;
    // Takes a region out of quarantine; the answer says what becomes of it next.
    virtual Result<std::string> restore(const RegionId& id) = 0;
    // The region's policy with all it takes to decide about it here.
    virtual Result<PolicyReport> policy(const RegionId& id) = 0;
    // The answer says what holds now, and whether it is in effect.
    virtual Result<PolicyReport> set_policy(const RegionId& id, const Policy& policy) = 0;
    // Encrypts the region under a new key; returns its number.
    virtual Result<std::uint32_t> rotate_key(const RegionId& id) = 0;
    virtual Result<ArenaReport> arenas() = 0;
    // Moves idle regions together, all there are.
    virtual Result<DefragmentResult> defragment() = 0;
};

struct ReportOrder {
    ReportFormat format = ReportFormat::pdf;
    EventQuery filter;
    std::string file;
};

// Between who writes a report and who waits for it. Any thread.
struct ReportProgress {
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<bool> cancelled{false};  // by who waits; nothing is left behind then
};

// The history's proof. Called from one worker thread.
class AuditPort {
  public:
    virtual ~AuditPort() = default;
    // Whether the history is as it was recorded. Reads all of it.
    virtual Result<AuditVerdict> verify() = 0;
    // Writes the whole signed file or leaves nothing; the key it is signed with.
    virtual Result<PublicKey> write(const ReportOrder& order, ReportProgress& progress) = 0;
};

struct Advice {
    std::string advice, evidence;  // sentences
    std::uint64_t bytes = 0;       // what it would give back, where that is known
};
// Who takes what: a user, a session, a worker.
struct Tenant {
    std::string name;
    std::uint64_t regions = 0, bytes = 0, references = 0, allocations = 0;
};
struct PerformanceReport {
    std::vector<Advice> advice;
    std::vector<Tenant> users, sessions, workers;
};

// What the manager's monitoring knows, and what can be done about it. Called from one worker
// thread.
class MonitoringPort {
  public:
    virtual ~MonitoringPort() = default;
    // Those that are pending or firing, and those resolved lately.
    virtual Result<std::vector<Alert>> alerts() = 0;
    // Those with a number below `before` (0: the newest).
    virtual Result<AlertPage> history(std::uint64_t before, int limit) = 0;
    virtual Result<std::vector<AlertRule>> rules() = 0;
    virtual Result<std::vector<AlertSilence>> silences() = 0;
    virtual Status acknowledge(std::uint64_t id, const std::string& comment) = 0;
    // Of `silence` who made it, when, and its number are the manager's to say.
    virtual Status silence(const AlertSilence& silence) = 0;
    virtual Status unsilence(std::uint64_t id) = 0;
    virtual Status set_rule(const AlertRule& rule) = 0;
    // What the rule would have done in the last `span_ms`.
    virtual Result<Backtest> backtest(const AlertRule& rule, std::int64_t span_ms) = 0;
    virtual Result<PerformanceReport> performance() = 0;
};

// Every segment of the host, ours or not, and what there was before. Called from one worker thread.
class HostPort {
  public:
    virtual ~HostPort() = default;
    virtual Result<HostSurvey> survey() = 0;
    // What was recorded between the two times, the largest names first.
    virtual Result<std::vector<HostSeries>> history(TotalsBy by, Timestamp from, Timestamp to,
                                                    std::size_t max_points, std::size_t most) = 0;
    // What was recorded of that time; none: nothing was.
    virtual Result<std::optional<HostRecord>> at(Timestamp time) = 0;
    // What of these would go; without names of those that were left over for certain. Removes
    // nothing.
    virtual Result<std::vector<HostCleanItem>> rehearse(const std::vector<std::string>& names) = 0;
    // Exactly these: another one that has taken a name since stays.
    virtual Result<std::vector<HostCleanItem>> clean(const std::vector<HostSegment>& segments) = 0;
};

// What was recorded of the instance's metrics. Called from several worker threads at once.
class HistoryPort {
  public:
    virtual ~HistoryPort() = default;
    // A list for each metric (layout/metrics.h): from <= time < to, in at most `max_points`, from a
    // coarser resolution where that is enough. All lists have the same times where a metric was
    // recorded at all.
    virtual Result<std::vector<std::vector<MetricPoint>>> series(
        const std::vector<std::string>& metrics, Timestamp from, Timestamp to,
        std::size_t max_points) = 0;
};

// The regions of a bundle's file. Any thread.
using BundleRegionsReader = std::function<Result<std::vector<RegionRow>>(const std::string& file)>;

using EventSourceFactory = std::function<std::unique_ptr<EventSource>()>;

}  // namespace snakepit::shm::ui
