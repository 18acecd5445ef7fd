// SPDX-License-Identifier: GPL-3.0-or-later
// The columns of every table of regions: what they show, how they sort and what they export.
#pragma once

#include <QString>
#include <QVariant>
#include <compare>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/region.h"
#include "ui/models/column_traits.h"
#include "ui/models/region_store.h"
#include "ui/models/tone.h"

namespace snakepit::shm::ui {

enum RegionColumn : int {
    kColumnId,
    kColumnState,
    kColumnSize,
    kColumnReserved,
    kColumnReferences,
    kColumnHeldBy,
    kColumnHolders,
    kColumnOwner,
    kColumnPid,
    kColumnUser,
    kColumnWorker,
    kColumnSession,
    kColumnPolicy,
    kColumnSecurity,
    kColumnAccess,
    kColumnPlacement,
    kColumnTimeout,
    kColumnAge,
    kColumnIdle,
    kColumnAccesses,
    kColumnMetadata,
    kRegionColumns,
};

std::span<const ColumnTraits> region_columns();
const ColumnTraits& region_column(int column);

// For people.
QString region_display(const RegionRow& row, int column, Timestamp now);
// For other programs: bytes, RFC 3339, plain numbers.
QVariant region_export(const RegionRow& row, int column);
// "python3 4711 ×2, renderer 4712 and 3 more", empty for none. `holders`: how many there are, where
// fewer are named; those that hold nothing are left out.
QString holders_text(const std::vector<RegionReference>& named, std::size_t holders = 0);
// A number or text that sorts as the column does.
QVariant region_sort_value(const RegionRow& row, int column);
// How a row compares with others by a column; of rows that are alike the older comes first. The
// text is the row's own. An id is as old as its region.
struct RegionSortKey {
    std::int64_t number = 0;
    std::string_view text;
    friend auto operator<=>(const RegionSortKey&, const RegionSortKey&) = default;
};
RegionSortKey region_sort_key(const RegionRow& row, int column);

Tone tone_of(RegionState state);
QString state_title(RegionState state);

}  // namespace snakepit::shm::ui
