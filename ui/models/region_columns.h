// SPDX-License-Identifier: GPL-3.0-or-later
// The columns of every table of regions.
#pragma once

#include "base/region.h"
#include "layout/registry_reader.h"
#include "ui/models/column.h"

namespace snakepit::shm::ui {

enum RegionColumn : int {
    kColumnId,
    kColumnName,
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
    kColumnCleanup,
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

std::span<const Column<RegionRow>> region_columns();
const Column<RegionRow>& region_column(int column);
// False: of a past moment, and no event tells it.
bool is_known(const RegionRow& row, int column);

// "python3 4711 (encoder) ×2, renderer 4712 and 3 more", empty for none. `holders`: how many there
// are, where fewer are named; those that hold nothing are left out.
QString holders_text(const std::vector<RegionReference>& named, std::size_t holders = 0);

Severity severity_of(RegionState state);

}  // namespace snakepit::shm::ui
