// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/arenas.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

enum ArenaColumn : int {
    kArenaName,
    kArenaUser,
    kArenaRegions,
    kArenaSize,
    kArenaUsed,
    kArenaHoles,
    kArenaLargest,
    kArenaReserved,
    kArenaDirty,
    kArenaColumns,
};

class ArenaModel : public KeyedTable<Arena, std::string> {
  public:
    using KeyedTable::KeyedTable;

  protected:
    std::span<const Column<Arena>> columns() const override;
    std::string key(const Arena& arena) const override { return arena.name; }
    // The largest first.
    int compare_rows(const Arena& a, const Arena& b) const override {
        return a.size > b.size ? -1 : a.size < b.size ? 1 : 0;
    }
};

}  // namespace snakepit::shm::ui
