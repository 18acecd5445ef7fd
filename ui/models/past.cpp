// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/past.h"

#include <algorithm>
#include <utility>

namespace snakepit::shm::ui {

namespace {

// Generations of the registry stay far below.
constexpr std::uint64_t kFirstGeneration = std::uint64_t{1} << 62;
constexpr std::int64_t kAlertsFor = 60 * 60 * 1'000'000LL;  // microseconds

// Seconds before the moment: at least one row, also of a year ago, where there is one an hour.
constexpr std::int64_t kSeen = 2 * 3600;
constexpr std::int64_t kLate = 2;  // seconds that a sample may be late

struct SampledMetric {
    const char* name;
    std::uint64_t layout::Sample::*field;
};
constexpr std::array kSampled{
    SampledMetric{"regions", &layout::Sample::regions},
    SampledMetric{"orphan_regions", &layout::Sample::orphans},
    SampledMetric{"quarantined_regions", &layout::Sample::quarantined},
    SampledMetric{"used_bytes", &layout::Sample::bytes_used},
    SampledMetric{"reserved_bytes", &layout::Sample::bytes_reserved},
    SampledMetric{"references", &layout::Sample::references},
    SampledMetric{"clients", &layout::Sample::clients},
    SampledMetric{"allocations_total", &layout::Sample::allocations},
    SampledMetric{"events_total", &layout::Sample::events},
    SampledMetric{"host_shm_size_bytes", &layout::Sample::shm_total},
    SampledMetric{"host_shm_free_bytes", &layout::Sample::shm_free},
    SampledMetric{"alerts_firing", &layout::Sample::alerts_firing},
    SampledMetric{"alerts_unacknowledged", &layout::Sample::alerts_unacknowledged},
};

}  // namespace

Status add_samples(Past& past, HistoryPort& history) {
    const auto moment = past.state.moment.micros;
    std::vector<std::string> names;
    for (const auto& metric : kSampled) names.emplace_back(metric.name);
    SHM_ASSIGN(const auto lists, history.series(names, {moment - kSeen * 1'000'000}, {moment + 1},
                                                static_cast<std::size_t>(kSeen)));
    std::map<std::int64_t, layout::Sample> by_time;
    for (std::size_t i = 0; i < kSampled.size(); ++i)
        for (const auto& point : lists[i]) {
            const auto end = point.time.micros + (point.seconds + kLate) * 1'000'000;
            past.measured |= end >= moment;
            auto& sample = by_time[point.time.micros];
            sample.time = point.time.micros;
            sample.*kSampled[i].field = static_cast<std::uint64_t>(std::max(point.avg, 0.0) + 0.5);
        }
    for (auto& [time, sample] : by_time) {
        sample.seq = past.samples.size() + 1;
        past.samples.push_back(sample);
    }
    return {};
}

std::shared_ptr<const std::vector<RegionInfo>> present_in(const RegionStore& shown) {
    auto out = std::make_shared<std::vector<RegionInfo>>();
    out->reserve(shown.size());
    for (Slot slot = 0; slot < shown.frontier(); ++slot)
        if (const auto* entry = shown.at(slot)) out->push_back(entry->row.info);
    return out;
}

PastRows::PastRows(const RegionStore& shown)
    : present_(present_in(shown)), next_(shown.frontier()), generation_(kFirstGeneration) {
    place_.reserve(shown.size());
    keys_.reserve(shown.size());
    shown_.reserve(shown.size());
    std::size_t place = 0;
    for (Slot slot = 0; slot < shown.frontier(); ++slot) {
        const auto* entry = shown.at(slot);
        if (!entry) continue;
        const auto& id = entry->row.info.id;
        place_.emplace(id, place++);
        keys_.emplace(id, entry->key());
        shown_.emplace(id, Shown{entry->key(), nullptr});
    }
}

RegionKey PastRows::new_key() {
    ++generation_;
    if (free_.empty()) return {next_++, generation_};
    const auto slot = free_.back();
    free_.pop_back();
    return {slot, generation_};
}

RegistryDelta PastRows::show(const PastState& state) {
    RegistryDelta delta;
    std::unordered_map<RegionId, Shown> now;
    now.reserve(state.regions.size());
    delta.changed.reserve(state.regions.size());
    for (const auto& region : state.regions) {
        const auto before = shown_.find(region->id);
        Shown shown{{}, region};
        if (before != shown_.end())
            shown.key = before->second.key;
        else if (const auto exists = keys_.find(region->id); exists != keys_.end())
            shown.key = exists->second;
        else
            shown.key = new_key();
        if (before == shown_.end() || before->second.region != region)
            delta.changed.push_back(row_of(*region, shown.key));
        now.emplace(region->id, std::move(shown));
    }
    for (const auto& [id, shown] : shown_) {
        if (now.contains(id)) continue;
        delta.vacated.push_back(shown.key.slot);
        if (!keys_.contains(id)) free_.push_back(shown.key.slot);
    }
    shown_ = std::move(now);
    return delta;
}

RegistryDelta PastRows::leave(std::vector<RegionRow> rows) const {
    RegistryDelta delta;
    std::vector<Slot> used;
    used.reserve(rows.size());
    for (const auto& row : rows) used.push_back(row.slot);
    std::sort(used.begin(), used.end());
    for (const auto& [id, shown] : shown_)
        if (!std::binary_search(used.begin(), used.end(), shown.key.slot))
            delta.vacated.push_back(shown.key.slot);
    delta.changed = std::move(rows);
    return delta;
}

RegionRow PastRows::row_of(const PastRegion& region, const RegionKey& key) const {
    const auto place = place_.find(region.id);
    auto row = as_row(region, place == place_.end() ? nullptr : &(*present_)[place->second]);
    row.slot = key.slot;
    row.generation = key.generation;
    return row;
}

std::vector<ClientInfo> clients_of(const PastState& state) {
    std::vector<ClientInfo> out;
    for (const auto& program : state.programs) {
        ClientInfo client;
        client.index = static_cast<std::uint32_t>(out.size());
        client.serial = out.size() + 1;
        client.pid = program.pid;
        client.uid = program.uid;
        client.connected_at = program.connected_at;
        client.connected = program.connected;
        client.process = program.process;
        client.worker = program.worker;
        out.push_back(std::move(client));
    }
    return out;
}

std::vector<Alert> alerts_at(const std::vector<Alert>& alerts, Timestamp moment) {
    const auto by_then = [moment](Timestamp time) { return time.micros != 0 && time <= moment; };
    std::vector<Alert> out;
    for (auto alert : alerts) {
        if (!by_then(alert.since)) continue;
        if (by_then(alert.resolved_at) && alert.resolved_at.micros < moment.micros - kAlertsFor)
            continue;
        alert.state = by_then(alert.resolved_at) ? Alert::State::resolved
                      : by_then(alert.fired_at)  ? Alert::State::firing
                                                 : Alert::State::pending;
        if (!by_then(alert.resolved_at)) alert.resolved_at = {};
        if (!by_then(alert.fired_at)) alert.fired_at = {};
        if (!by_then(alert.acknowledged_at)) {
            alert.acknowledged_at = {};
            alert.acknowledged_by.clear();
            alert.acknowledgement.clear();
        }
        out.push_back(std::move(alert));
    }
    return out;
}

}  // namespace snakepit::shm::ui
