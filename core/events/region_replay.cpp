// SPDX-License-Identifier: MIT
#include "events/region_replay.h"

#include <algorithm>
#include <utility>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

namespace snakepit::shm {

namespace {

QJsonObject detail_of(const EventRow& row) {
    return QJsonDocument::fromJson(
               QByteArray::fromRawData(row.detail.data(),
                                       static_cast<qsizetype>(row.detail.size())))
        .object();
}

std::string text(const QJsonObject& detail, const char* name) {
    return detail[QLatin1String(name)].toString().toStdString();
}

std::uint64_t number(const QJsonObject& detail, const char* name) {
    return static_cast<std::uint64_t>(std::max<qint64>(detail[QLatin1String(name)].toInteger(), 0));
}

// In the same order as RegistryReader does.
RegionState state_of(const PastRegion& region) {
    if (region.damaged) return RegionState::damaged;
    if (region.quarantined) return RegionState::quarantined;
    if (region.closing) return RegionState::closing;
    return region.orphan ? RegionState::orphan : RegionState::live;
}

void read_made_as(PastRegion& region, const QJsonObject& detail) {
    const auto cleanup = parse_cleanup_policy(text(detail, "cleanup"));
    if (!cleanup) {
        region.unknown |= kPartOptions;
        return;
    }
    auto& as = region.made_as;
    as.cleanup_policy = *cleanup;
    as.owner_end = parse_owner_end(text(detail, "owner_end"))
                       .value_or(resolved(OwnerEnd::automatic, *cleanup));
    as.security_level = parse_security_level(text(detail, "security")).value_or(as.security_level);
    as.access_mode = parse_access_mode(text(detail, "access")).value_or(as.access_mode);
    auto& may = as.permissions;
    may.owner = parse_permission(text(detail, "owner_may")).value_or(may.owner);
    may.group = parse_permission(text(detail, "group_may")).value_or(may.group);
    may.other = parse_permission(text(detail, "others_may")).value_or(may.other);
}

// Also where the end of an earlier one with this id was lost.
void begin(PastRegion& region, const EventRow& row) {
    const auto detail = detail_of(row);
    region = {.id = region.id, .last_seq = row.seq, .changed_at = row.time};
    region.size = number(detail, "size");
    region.owner_pid = row.pid;
    region.owner_uid = row.uid;
    region.owner_process = text(detail, "process");
    region.worker = text(detail, "worker");
    region.name = text(detail, "name");
    region.created_at = row.time;
    region.unknown = kPartUse | kPartRest;
    read_made_as(region, detail);
}

// It belongs to its user from then on, and what it was made with is in a file, not in the event.
void begin_restored(PastRegion& region, const EventRow& row) {
    region.size = number(detail_of(row), "size");
    region.owner_uid = row.uid;
    region.durable = true;
    region.created_at = {static_cast<std::int64_t>(region.id.micros)};
    region.unknown = kPartUse | kPartRest | kPartOptions;
}

void read_references(PastRegion& region, const EventRow& row) {
    const auto detail = detail_of(row);
    region.references = number(detail, "count");
    region.named.clear();
    for (const auto& value : detail[QLatin1String("holders")].toArray()) {
        const auto holder = value.toObject();
        region.named.push_back({holder[QLatin1String("pid")].toInteger(), text(holder, "process"),
                                text(holder, "worker"), number(holder, "count"),
                                holder[QLatin1String("read_only")].toBool()});
    }
    region.holders = region.named.size() + number(detail, "more");
    region.unknown &= ~std::uint32_t{kPartReferences};
}

// Also tells what it was made with, for events of older managers.
void owner_went(PastRegion& region, const EventRow& row) {
    const auto detail = detail_of(row);
    region.orphan = true;
    region.owner_pid = row.pid;
    region.owner_uid = row.uid;
    const auto policy = parse_cleanup_policy(text(detail, "policy"));
    if (!policy) return;
    region.made_as.cleanup_policy = *policy;
    region.made_as.owner_end =
        parse_owner_end(text(detail, "owner_end")).value_or(resolved(OwnerEnd::automatic, *policy));
}

}  // namespace

RegionRow as_row(const PastRegion& region, const RegionInfo* present) {
    RegionRow row;
    row.holders = static_cast<std::uint32_t>(region.holders);
    row.unknown = region.unknown;
    auto& info = row.info;
    info.id = region.id;
    info.name = region.name;
    info.size = region.size;
    info.created_at = region.created_at;
    info.owner_pid = region.owner_pid;
    info.owner_uid = region.owner_uid;
    info.owner_process = region.owner_process;
    info.worker = region.worker;
    info.cleanup_policy = region.made_as.cleanup_policy;
    info.owner_end = region.made_as.owner_end;
    info.security_level = region.made_as.security_level;
    info.access_mode = region.made_as.access_mode;
    info.permissions = region.made_as.permissions;
    info.durable = region.durable;
    info.state = region.state;
    info.sealed = region.sealed;
    info.inconsistent = region.inconsistent;
    info.has_policy = region.has_policy;
    info.reference_count = region.references;
    info.holder_count = region.holders;
    for (const auto& holder : region.named)
        info.references.push_back(
            {holder.pid, holder.process, holder.count, true,
             holder.read_only ? AccessMode::read_only : AccessMode::read_write, holder.worker});
    if (!present) return row;
    auto known = *present;
    known.state = info.state;
    known.sealed = info.sealed;
    known.inconsistent = info.inconsistent;
    known.has_policy = info.has_policy;
    known.reference_count = info.reference_count;
    known.holder_count = info.holder_count;
    known.references = std::move(info.references);
    known.last_accessed = {};
    known.access_count = 0;
    known.quarantined_until = {};
    info = std::move(known);
    row.unknown &= kPartState | kPartReferences | kPartUse;
    return row;
}

const std::vector<EventKind>& RegionReplay::kinds() {
    static const std::vector<EventKind> all{EventKind::manager_started,
                                            EventKind::manager_stopped,
                                            EventKind::client_connected,
                                            EventKind::client_resumed,
                                            EventKind::client_disconnected,
                                            EventKind::client_gone,
                                            EventKind::allocated,
                                            EventKind::withdrawn,
                                            EventKind::freed,
                                            EventKind::quarantined,
                                            EventKind::restored,
                                            EventKind::references,
                                            EventKind::owner_gone,
                                            EventKind::damaged,
                                            EventKind::registry_reset,
                                            EventKind::gap,
                                            EventKind::lock_broken,
                                            EventKind::lock_acknowledged,
                                            EventKind::sealed,
                                            EventKind::durable_restored,
                                            EventKind::policy_changed,
                                            EventKind::rows_missing};
    return all;
}

RegionReplay::RegionReplay(const Kept& kept)
    : programs_(kept.programs),
      manager_(kept.manager),
      epoch_(kept.epoch),
      lost_(kept.lost),
      seq_(kept.seq),
      lost_at_(kept.lost_at) {
    regions_.reserve(kept.regions.size());
    for (const auto& region : kept.regions) regions_.emplace(region->id, region);
}

RegionReplay::Kept RegionReplay::keep() const {
    Kept kept{{}, programs_, manager_, epoch_, lost_, seq_, lost_at_};
    kept.regions.reserve(regions_.size());
    for (const auto& [id, region] : regions_) kept.regions.push_back(region);
    return kept;
}

std::vector<PastProgram> RegionReplay::programs() const {
    std::vector<PastProgram> out;
    for (const auto& [pid, program] : programs_) out.push_back(program);
    return out;
}

// What is kept elsewhere stays as it was.
PastRegion& RegionReplay::change(const RegionId& id, const EventRow& row) {
    auto& place = regions_[id];
    auto fresh = place ? std::make_shared<PastRegion>(*place) : std::make_shared<PastRegion>();
    auto& region = *fresh;
    if (!place) {
        region.id = id;
        region.created_at = {static_cast<std::int64_t>(id.micros)};
        region.unknown = kAllParts;
    }
    region.last_seq = row.seq;
    region.changed_at = row.time;
    place = std::move(fresh);
    return region;
}

bool RegionReplay::apply(const EventRow& row) {
    // Another registry file: memory does not outlive the one it stands in.
    if (row.epoch != 0 && row.epoch != epoch_) {
        if (epoch_ != 0) {
            regions_.clear();
            programs_.clear();
        }
        epoch_ = row.epoch;
    }
    seq_ = row.seq;
    if (!row.region_id.empty()) {
        const auto id = RegionId::parse(row.region_id);
        return !id || apply_to_region(row, *id);
    }
    apply_to_manager(row);
    apply_to_program(row);
    return true;
}

bool RegionReplay::apply_to_region(const EventRow& row, const RegionId& id) {
    const bool known = regions_.contains(id);
    if (row.kind == EventKind::freed) {
        regions_.erase(id);
        return known;
    }
    if (row.result != "ok" && row.kind != EventKind::damaged) return true;  // it did not happen
    auto& region = change(id, row);
    const auto tell_state = [&region] { region.unknown &= ~std::uint32_t{kPartState}; };
    switch (row.kind) {
        case EventKind::allocated:
            begin(region, row);
            return true;
        case EventKind::durable_restored:
            begin_restored(region, row);
            return true;
        case EventKind::withdrawn:
            region.closing = true;
            tell_state();
            break;
        case EventKind::quarantined:
            region.quarantined = true;
            region.references = region.holders = 0;
            region.named.clear();
            region.unknown &= ~std::uint32_t{kPartReferences};
            tell_state();
            break;
        case EventKind::restored:
            region.quarantined = region.closing = false;
            tell_state();
            break;
        case EventKind::owner_gone:
            owner_went(region, row);
            region.unknown &= ~std::uint32_t{kPartState};
            break;
        case EventKind::references:
            read_references(region, row);
            break;
        case EventKind::damaged:
            region.damaged = true;
            tell_state();
            break;
        case EventKind::sealed:
            region.sealed = true;
            break;
        case EventKind::policy_changed:
            region.has_policy = true;
            break;
        case EventKind::lock_broken:
        case EventKind::lock_acknowledged:
            region.inconsistent = row.kind == EventKind::lock_broken;
            break;
        default:
            break;
    }
    region.state = state_of(region);
    return known;
}

void RegionReplay::apply_to_program(const EventRow& row) {
    const auto found = programs_.find(row.pid);
    switch (row.kind) {
        case EventKind::client_connected:
        case EventKind::client_resumed: {
            const auto detail = detail_of(row);
            const bool again = row.kind == EventKind::client_resumed && found != programs_.end();
            const bool resumed = row.kind == EventKind::client_resumed;
            auto& program =
                again ? found->second : programs_.emplace(row.pid, PastProgram())->second;
            program.pid = row.pid;
            program.uid = row.uid;
            program.process = text(detail, "process");
            program.worker = text(detail, "worker");
            program.connected = true;
            if (!resumed) program.connected_at = row.time;
            break;
        }
        case EventKind::client_disconnected:
            if (found != programs_.end()) found->second.connected = false;
            break;
        case EventKind::client_gone:
            if (found != programs_.end()) programs_.erase(found);
            break;
        default:
            break;
    }
}

void RegionReplay::apply_to_manager(const EventRow& row) {
    switch (row.kind) {
        case EventKind::manager_started:
            manager_ = {PastManager::State::running, row.time, row.pid};
            break;
        case EventKind::manager_stopped:
            manager_ = {PastManager::State::stopped, row.time, row.pid};
            break;
        case EventKind::gap:
        case EventKind::rows_missing:
            lost_ += number(detail_of(row), "lost");
            lost_at_ = row.seq;
            break;
        default:
            break;
    }
}

}  // namespace snakepit::shm
