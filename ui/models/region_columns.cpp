// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/region_columns.h"

#include <array>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::array<ColumnTraits, kRegionColumns> kColumns{{
    {"id", "Region", false, "Identifies the region on this host", 260},
    {"state", "State", false, "Live, orphan, closing, quarantined, revoked or damaged", 104},
    {"size", "Size", true, "Bytes asked for", 80},
    {"actual_size", "Reserved", true, "Bytes taken from the system", 92},
    {"reference_count", "Refs", true, "References held now", 54},
    {"held_by", "Held by", false, "Programs that hold it: name, process id, references if several",
     210},
    {"holders", "Holders", true, "How many programs hold at least one reference", 74},
    {"owner_process", "Owner", false, "Program that allocated it", 124},
    {"owner_pid", "PID", true, "Process that allocated it", 68},
    {"owner_uid", "User", true, "User id of the owner", 64},
    {"worker", "Worker", false, "Name the owner gave itself", 104},
    {"session", "Session", false, "Session the owner named", 120},
    {"cleanup_policy", "Cleanup", false, "When the region ends", 136},
    {"security_level", "Security", false, "Security level", 92},
    {"access_mode", "Access", false, "The most anyone may map it with", 92},
    {"placement", "Placement", false, "A slice of an arena, or an object of its own", 92},
    {"timeout", "Timeout", true, "Cleaned when unused for so long", 92},
    {"created_at", "Age", true, "Time since it was allocated", 70},
    {"last_accessed", "Idle", true, "Time since it was last used", 70},
    {"access_count", "Accesses", true, "References ever taken", 88},
    {"metadata", "Metadata", false, "What its owner wrote about it", 240},
}};

template <typename T>
QString name_of(T value) {
    return QString::fromLatin1(to_string(value).data(),
                               static_cast<qsizetype>(to_string(value).size()));
}

}  // namespace

QString holders_text(const std::vector<RegionReference>& named, std::size_t holders) {
    QStringList names;
    for (const auto& holder : named) {
        if (holder.count == 0) continue;
        auto name =
            QStringLiteral("%1 %2").arg(program_text(holder.process, holder.pid)).arg(holder.pid);
        if (holder.count > 1) name += QStringLiteral(" ×%1").arg(holder.count);
        names << name;
    }
    const auto count = static_cast<std::size_t>(names.size());
    auto text = names.join(QStringLiteral(", "));
    if (holders > count)
        text += count ? QStringLiteral(" and %1 more").arg(holders - count)
                      : counted(holders, "program", "programs");
    return text;
}

std::span<const ColumnTraits> region_columns() {
    return kColumns;
}

const ColumnTraits& region_column(int column) {
    return kColumns[static_cast<std::size_t>(column)];
}

QString region_display(const RegionRow& row, int column, Timestamp now) {
    const auto& info = row.info;
    switch (column) {
        case kColumnState:
            return state_title(info.state);
        case kColumnSize:
            return size_text(info.size);
        case kColumnReserved:
            return size_text(info.actual_size);
        case kColumnHeldBy:
            return row.holders ? holders_text(info.references, row.holders)
                               : QStringLiteral("nobody");
        case kColumnPolicy:
            return name_of(info.cleanup_policy).replace('_', ' ');
        case kColumnAccess:
            return name_of(info.access_mode).replace('_', ' ');
        case kColumnTimeout:
            return info.timeout_ms ? duration_text(info.timeout_ms) : QStringLiteral("never");
        case kColumnAge:
            return since_text(info.created_at, now);
        case kColumnIdle:
            return since_text(info.last_accessed, now);
        default:
            return region_export(row, column).toString();
    }
}

QVariant region_export(const RegionRow& row, int column) {
    const auto& info = row.info;
    switch (column) {
        case kColumnId:
            return QString::fromStdString(info.id.str());
        case kColumnState:
            return name_of(info.state);
        case kColumnHeldBy:
            return holders_text(info.references, row.holders);
        case kColumnOwner:
            return program_text(info.owner_process, info.owner_pid);
        case kColumnWorker:
            return QString::fromStdString(info.worker);
        case kColumnSession:
            return QString::fromStdString(info.session);
        case kColumnPolicy:
            return name_of(info.cleanup_policy);
        case kColumnSecurity:
            return name_of(info.security_level);
        case kColumnAccess:
            return name_of(info.access_mode);
        case kColumnPlacement:
            return name_of(info.placement);
        case kColumnAge:
            return QString::fromStdString(to_rfc3339(info.created_at));
        case kColumnIdle:
            return QString::fromStdString(to_rfc3339(info.last_accessed));
        case kColumnMetadata:
            return QString::fromStdString(info.metadata);
        default:
            return region_sort_value(row, column);
    }
}

QVariant region_sort_value(const RegionRow& row, int column) {
    const auto& info = row.info;
    switch (column) {
        case kColumnSize:
            return QVariant::fromValue<qulonglong>(info.size);
        case kColumnReserved:
            return QVariant::fromValue<qulonglong>(info.actual_size);
        case kColumnReferences:
            return QVariant::fromValue<qulonglong>(info.reference_count);
        case kColumnHeldBy:
        case kColumnHolders:
            return row.holders;
        case kColumnPid:
            return QVariant::fromValue<qlonglong>(info.owner_pid);
        case kColumnUser:
            return info.owner_uid;
        case kColumnTimeout:
            return QVariant::fromValue<qlonglong>(info.timeout_ms);
        case kColumnAge:
            return QVariant::fromValue<qlonglong>(-info.created_at.micros);
        case kColumnIdle:
            return QVariant::fromValue<qlonglong>(-info.last_accessed.micros);
        case kColumnAccesses:
            return QVariant::fromValue<qulonglong>(info.access_count);
        default:
            return region_export(row, column);
    }
}

RegionSortKey region_sort_key(const RegionRow& row, int column) {
    const auto& info = row.info;
    const auto number = [](auto value) {
        return RegionSortKey{static_cast<std::int64_t>(value), {}};
    };
    switch (column) {
        case kColumnState:
            return number(info.state);
        case kColumnSize:
            return number(info.size);
        case kColumnReserved:
            return number(info.actual_size);
        case kColumnReferences:
            return number(info.reference_count);
        case kColumnHeldBy:
        case kColumnHolders:
            return number(row.holders);
        case kColumnOwner:
            return {0, info.owner_process};
        case kColumnPid:
            return number(info.owner_pid);
        case kColumnUser:
            return number(info.owner_uid);
        case kColumnWorker:
            return {0, info.worker};
        case kColumnSession:
            return {0, info.session};
        case kColumnPolicy:
            return number(info.cleanup_policy);
        case kColumnSecurity:
            return number(info.security_level);
        case kColumnAccess:
            return number(info.access_mode);
        case kColumnPlacement:
            return number(info.placement);
        case kColumnTimeout:
            return number(info.timeout_ms);
        case kColumnAge:
            return number(-info.created_at.micros);
        case kColumnIdle:
            return number(-info.last_accessed.micros);
        case kColumnAccesses:
            return number(info.access_count);
        case kColumnMetadata:
            return {0, info.metadata};
        default:
            return number(info.id.micros);
    }
}

Tone tone_of(RegionState state) {
    switch (state) {
        case RegionState::live:
            return Tone::good;
        case RegionState::orphan:
            return Tone::caution;
        case RegionState::closing:
            return Tone::neutral;
        case RegionState::quarantined:
            return Tone::info;
        case RegionState::revoked:
        case RegionState::damaged:
            break;
    }
    return Tone::bad;
}

QString state_title(RegionState state) {
    return name_of(state);
}

}  // namespace snakepit::shm::ui
