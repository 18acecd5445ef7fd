// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/bundle_sources.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <filesystem>

#include <fmt/format.h>

#include "base/time.h"
#include "diagnostics/bundle.h"
#include "diagnostics/host_json.h"
#include "ui/models/bundle_monitoring.h"
#include "ui/models/format.h"
#include "ui/models/recorded_metrics.h"
#include "ui/models/timing_history.h"

namespace snakepit::shm::ui {

namespace {

Result<ArenaReport> read_arenas(BundleReader& bundle) {
    SHM_ASSIGN(const auto text, bundle.text("arenas.json"));
    return parse_arenas(text);
}

Result<HostSurvey> read_survey(BundleReader& bundle) {
    SHM_ASSIGN(const auto text, bundle.text(bundle_part::host));
    return parse_host(QJsonDocument::fromJson(QByteArray::fromStdString(text)).object());
}

}  // namespace

tl::unexpected<Error> BundleRefusal::refuse() const {
    return fail(ErrorCode::not_supported,
                fmt::format("the bundle of {} from {} is read-only", label_.host.toStdString(),
                            to_rfc3339(label_.at)),
                "run the command on that host");
}

Result<SourceTick> BundleRegions::poll() {
    if (read_ || path_.empty()) return seen_;
    SHM_ASSIGN(auto reader, RegistryReader::open(path_));
    SourceTick tick;
    tick.delta = reader.poll();
    tick.clients = reader.clients();
    tick.samples = reader.samples(0);
    tick.manager_pid = reader.manager_pid();
    tick.started_at = reader.started_at();
    tick.heartbeat = reader.heartbeat();
    tick.event_head = reader.event_head();
    tick.events_lost = reader.events_lost();
    tick.timings = timings_of(reader);
    read_ = true;
    seen_ = tick;
    seen_.delta = {};
    seen_.samples.clear();
    return tick;
}

BundleEvents::BundleEvents(const std::string& path) : reader_(EventReader::open(path)) {}

Result<std::vector<EventRow>> BundleEvents::query(const EventQuery& query) {
    if (!reader_) return fail(reader_.error());
    return reader_->query(query);
}

BundleManager::BundleManager(const BundleLabel& label, BundleReader& bundle)
    : refusal_(label), arenas_(read_arenas(bundle)) {
    if (auto reader = RegistryReader::open(bundle.registry()))
        for (auto& row : reader->poll().changed)
            regions_.insert_or_assign(row.info.id.str(), std::move(row.info));
    const auto policies = bundle.document("policies.json");
    if (!policies) return;
    for (auto it = policies->begin(); it != policies->end(); ++it)
        policies_.emplace(
            it.key().toStdString(),
            QJsonDocument(it->toObject()).toJson(QJsonDocument::Compact).toStdString());
}

Result<RegionInfo> BundleManager::info(const RegionId& id) {
    const auto found = regions_.find(id.str());
    if (found != regions_.end()) return found->second;
    return fail(ErrorCode::region_not_found, "the bundle does not contain region " + id.str());
}

Result<PolicyReport> BundleManager::policy(const RegionId& id) {
    const auto found = policies_.find(id.str());
    if (found != policies_.end()) return parse_policy_report(found->second);
    return fail(ErrorCode::region_not_found, "the bundle does not contain a policy for this region",
                "its permissions apply");
}

BundleSurvey::BundleSurvey(const BundleLabel& label, BundleReader& bundle)
    : refusal_(label), survey_(read_survey(bundle)) {}

BundleLabel label_of(const BundleReader& bundle) {
    const auto& manifest = bundle.manifest();
    const auto name = std::filesystem::path(bundle.file()).filename().string();
    return {to_qstring(name), to_qstring(manifest.host), manifest.created_at};
}

Result<std::vector<RegionRow>> regions_of_bundle(const std::string& file) {
    SHM_ASSIGN(const auto bundle, BundleReader::open(file));
    return bundle.regions();
}

Workspace::Parts bundle_parts(BundleReader& bundle) {
    const auto label = label_of(bundle);
    Workspace::Parts parts;
    parts.regions = std::make_unique<BundleRegions>(bundle.registry());
    parts.events = [path = bundle.events()] { return std::make_unique<BundleEvents>(path); };
    parts.manager = std::make_shared<BundleManager>(label, bundle);
    parts.audit = std::make_shared<BundleAudit>(label);
    parts.monitoring = std::make_shared<BundleMonitoring>(label, bundle);
    parts.host = std::make_shared<BundleSurvey>(label, bundle);
    if (!bundle.metrics().empty())
        parts.history = std::make_shared<RecordedMetrics>(bundle.metrics());
    parts.bundle_reader = regions_of_bundle;
    parts.bundle = label;
    return parts;
}

}  // namespace snakepit::shm::ui
