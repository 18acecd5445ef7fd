// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_sources.h"

#include "host_history/history_schema.h"
#include "platform/process.h"
#include "ui/models/bundle_sources.h"
#include "ui/models/live_audit.h"
#include "ui/models/live_bytes.h"
#include "ui/models/live_configuration.h"
#include "ui/models/live_monitoring.h"
#include "ui/models/live_survey.h"
#include "ui/models/recorded_metrics.h"
#include "ui/models/timing_history.h"

namespace snakepit::shm::ui {

namespace {

// Closing the window waits for a call that is under way.
constexpr int kCallMillis = 3000;

}  // namespace

Result<SourceTick> LiveRegions::poll() {
    const bool opened = !reader_;
    if (opened) {
        SHM_ASSIGN(reader_, RegistryReader::open(path_));
    }
    SourceTick tick;
    tick.delta = reader_->poll();
    // A reader of its own starts from nothing: what an earlier one showed must go.
    tick.delta.reset |= opened && epoch_ != 0;
    if (reader_->epoch() != epoch_) last_sample_ = 0;
    epoch_ = reader_->epoch();
    tick.clients = reader_->clients();
    tick.samples = reader_->samples(last_sample_);
    if (!tick.samples.empty()) last_sample_ = tick.samples.back().seq;
    tick.manager_pid = reader_->manager_pid();
    tick.started_at = reader_->started_at();
    tick.heartbeat = reader_->heartbeat();
    tick.event_head = reader_->event_head();
    tick.events_lost = reader_->events_lost();
    tick.timings = timings_of(*reader_);
    return tick;
}

Result<std::vector<EventRow>> LiveEvents::query(const EventQuery& query) {
    {
        const std::lock_guard lock(mutex_);
        if (!reader_) {
            SHM_ASSIGN(reader_, EventReader::open(path_));
        }
    }
    auto rows = reader_->query(query);
    if (!rows && rows.error().code != ErrorCode::timeout) {
        const std::lock_guard lock(mutex_);
        reader_.reset();
    }
    return rows;
}

void LiveEvents::interrupt() {
    const std::lock_guard lock(mutex_);
    if (reader_) reader_->interrupt();
}

Result<std::shared_ptr<ManagerClient>> LiveManager::client() {
    const std::lock_guard lock(mutex_);
    if (!client_) {
        ConnectOptions options;
        options.instance = instance_;
        options.timeout_ms = kCallMillis;
        options.lease = false;
        SHM_ASSIGN(client_, ManagerClient::connect(options));
    }
    return client_;
}

Result<RegionInfo> LiveManager::info(const RegionId& id) {
    SHM_ASSIGN(const auto manager, client());
    return manager->info(id);
}

std::int64_t LiveManager::start_time_of(std::int64_t pid) {
    const auto process = inspect_process(pid);
    return process ? process->start_time : 0;
}

Result<CleanupResult> LiveManager::cleanup(const CleanupRequest& request) {
    SHM_ASSIGN(const auto manager, client());
    return manager->cleanup(request);
}

Result<bool> LiveManager::deallocate(const RegionId& id, bool force) {
    SHM_ASSIGN(const auto manager, client());
    return manager->deallocate(id, force);
}

Result<std::unique_ptr<ByteSource>> LiveManager::bytes_of(const RegionId& id) {
    return LiveBytes::open(instance_, id);
}

Result<std::string> LiveManager::restore(const RegionId& id) {
    SHM_ASSIGN(const auto manager, client());
    return manager->restore(id);
}

Result<PolicyReport> LiveManager::policy(const RegionId& id) {
    SHM_ASSIGN(const auto manager, client());
    SHM_ASSIGN(const auto json, manager->policy(id));
    return parse_policy_report(json);
}

Result<PolicyReport> LiveManager::set_policy(const RegionId& id, const Policy& policy) {
    SHM_ASSIGN(const auto manager, client());
    SHM_ASSIGN(const auto json, manager->set_policy(id, to_json(policy)));
    return parse_policy_report(json);
}

// The work is done here, with the region held and locked: a client of its own, only for that.
Result<std::uint32_t> LiveManager::rotate_key(const RegionId& id) {
    ConnectOptions options;
    options.instance = instance_;
    SHM_ASSIGN(const auto holder, ManagerClient::connect(options));
    return holder->rotate_key(id);
}

Result<ArenaReport> LiveManager::arenas() {
    SHM_ASSIGN(const auto manager, client());
    SHM_ASSIGN(const auto json, manager->report("arenas"));
    return parse_arenas(json);
}

Result<DefragmentResult> LiveManager::defragment() {
    SHM_ASSIGN(const auto manager, client());
    return manager->defragment();
}

Workspace::Parts live_parts(const InstancePaths& paths) {
    Workspace::Parts parts;
    parts.regions = std::make_unique<LiveRegions>(paths.registry());
    parts.events = [path = paths.events_db()] { return std::make_unique<LiveEvents>(path); };
    auto manager = std::make_shared<LiveManager>(paths.instance);
    parts.manager = manager;
    parts.configuration = std::make_shared<LiveConfiguration>(manager, paths.instance);
    parts.monitoring = std::make_shared<LiveMonitoring>(std::move(manager), paths);
    parts.host = std::make_shared<LiveSurvey>(host_history_db(paths));
    parts.audit = std::make_shared<LiveAudit>(paths);
    parts.history = std::make_shared<RecordedMetrics>(paths.metrics_db());
    parts.bundle_reader = regions_of_bundle;
    return parts;
}

}  // namespace snakepit::shm::ui
