// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/region_columns.h"

#include "ui/models/worker_names.h"

namespace snakepit::shm::ui {

namespace {

using Row = const RegionRow&;

template <auto Show = Plain{}, typename Get>
constexpr auto make(const char* key, const char* title, Get get, const char* about, int width) {
    return column<RegionRow, Show>(key, title, get).with_about(about, width);
}

QString holders(Row row) {
    return holders_text(row.info.references, row.holders);
}

SortKey holder_count(Row row) {
    return SortKey::of(row.holders);
}

QString timeout_text(std::int64_t millis) {
    return millis ? duration_text(millis) : QObject::tr("never");
}

constexpr std::array kColumns{
    make(
        "id", "Region", [](Row r) { return QString::fromStdString(r.info.id.str()); },
        "Identifies the region on this host", 260)
        .in_monospace()
        .sorted_by([](Row r) { return SortKey::of(r.info.id.micros); }),
    make(
        "name", "Name", [](Row r) -> auto& { return r.info.name; },
        "Name given at allocation; programs and commands find the region by it", 140)
        .with_value_as_tip(),
    make(
        "state", "State", [](Row r) { return r.info.state; },
        "Live, orphan, closing, quarantined, revoked or damaged", 104)
        .as_chip([](Row r) { return severity_of(r.info.state); }),
    make<size_text>(
        "size", "Size", [](Row r) { return r.info.size; }, "Requested size", 80),
    make<size_text>(
        "actual_size", "Reserved", [](Row r) { return r.info.actual_size; },
        "Memory reserved from the system", 92),
    make(
        "reference_count", "Refs", [](Row r) { return r.info.reference_count; },
        "References held now", 54)
        .muted_if([](Row r) { return r.info.reference_count == 0; }),
    make(
        "held_by", "Held by", [](Row r) { return holders(r); },
        "Programs that hold it: name, process id, worker, references if several", 250)
        .shown_as([](Row r) { return r.holders ? holders(r) : QObject::tr("none"); })
        .sorted_by(holder_count)
        .muted_if([](Row r) { return r.holders == 0; })
        .with_value_as_tip(),
    make(
        "holders", "Holders", [](Row r) { return r.holders; },
        "Number of programs that hold at least one reference", 74),
    make(
        "owner_process", "Owner",
        [](Row r) { return program_text(r.info.owner_process, r.info.owner_pid); },
        "Program that allocated the region", 124)
        .sorted_by([](Row r) { return SortKey::of(r.info.owner_process); }),
    make(
        "owner_pid", "PID", [](Row r) { return r.info.owner_pid; },
        "Process that allocated the region", 68),
    make(
        "owner_uid", "User", [](Row r) { return r.info.owner_uid; }, "User id of the owner", 64),
    make(
        "worker", "Worker", [](Row r) -> auto& { return r.info.worker; },
        "Worker name announced by the owner", 104),
    make(
        "session", "Session", [](Row r) -> auto& { return r.info.session; },
        "Session named by the owner", 120),
    make(
        "cleanup_policy", "Cleanup", [](Row r) { return r.info.cleanup_policy; },
        "Cleanup policy: when the region is freed", 136),
    make(
        "security_level", "Security", [](Row r) { return r.info.security_level; }, "Security level",
        92),
    make(
        "access_mode", "Access", [](Row r) { return r.info.access_mode; },
        "Maximum access of a mapping", 92),
    make(
        "placement", "Placement", [](Row r) { return r.info.placement; },
        "Slice of an arena, or a segment of its own", 92),
    make<timeout_text>(
        "timeout", "Timeout", [](Row r) { return r.info.timeout_ms; },
        "Time unused after which the region is cleaned up", 92),
    age_column<RegionRow>("created_at", "Age", [](Row r) { return r.info.created_at; })
        .with_about("Time since allocation", 70)
        .with_value_as_tip(),
    age_column<RegionRow>("last_accessed", "Idle", [](Row r) { return r.info.last_accessed; })
        .with_about("Time since last use", 70)
        .with_value_as_tip(),
    make(
        "access_count", "Accesses", [](Row r) { return r.info.access_count; },
        "References taken since allocation", 88),
    make(
        "metadata", "Metadata", [](Row r) -> auto& { return r.info.metadata; },
        "Metadata set by the owner", 240),
};
static_assert(kColumns.size() == kRegionColumns);

// What a column needs to be known.
std::uint32_t parts_of(int column) {
    switch (column) {
        case kColumnState:
            return kPartState;
        case kColumnSize:
            return kPartSize;
        case kColumnReferences:
        case kColumnHeldBy:
        case kColumnHolders:
            return kPartReferences;
        case kColumnOwner:
        case kColumnPid:
        case kColumnUser:
        case kColumnWorker:
            return kPartOwner;
        case kColumnCleanup:
        case kColumnSecurity:
        case kColumnAccess:
            return kPartOptions;
        case kColumnIdle:
        case kColumnAccesses:
            return kPartUse;
        case kColumnId:
        case kColumnName:
        case kColumnAge:
            return 0;
        default:
            return kPartRest;
    }
}

}  // namespace

bool is_known(const RegionRow& row, int column) {
    return (row.unknown & parts_of(column)) == 0;
}

QString holders_text(const std::vector<RegionReference>& named, std::size_t holders) {
    QStringList names;
    for (const auto& holder : named) {
        if (holder.count == 0) continue;
        auto name = process_text(holder.process, holder.pid);
        if (holder.count > 1) name += u" ×%1"_s.arg(holder.count);
        names << name;
    }
    const auto count = static_cast<std::size_t>(names.size());
    auto text = names.join(u", "_s);
    if (holders > count)
        text += count ? QObject::tr(" and %1 more").arg(holders - count)
                      : pluralize(holders, "program", "programs");
    return text;
}

std::span<const Column<RegionRow>> region_columns() {
    return kColumns;
}

const Column<RegionRow>& region_column(int column) {
    return kColumns[static_cast<std::size_t>(column)];
}

Severity severity_of(RegionState state) {
    return state == RegionState::live          ? Severity::good
           : state == RegionState::orphan      ? Severity::caution
           : state == RegionState::closing     ? Severity::neutral
           : state == RegionState::quarantined ? Severity::info
                                               : Severity::bad;
}

}  // namespace snakepit::shm::ui
