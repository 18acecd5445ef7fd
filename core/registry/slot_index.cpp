// SPDX-License-Identifier: MIT
#include "registry/slot_index.h"

#include <bit>
#include <utility>

namespace snakepit::shm {

void SlotIndex::reserve(std::size_t entries) {
    const auto size = std::bit_ceil(entries + entries / 2 + 1);
    if (size <= cells_.size()) return;
    const auto before = std::exchange(cells_, std::vector<Cell>(size));
    mask_ = size - 1;
    for (const auto& cell : before)
        if (cell.slot != kEmpty) put(cell);
}

void SlotIndex::put(Cell cell) {
    auto at = cell.tag & mask_;
    while (cells_[at].slot != kEmpty) at = (at + 1) & mask_;
    cells_[at] = cell;
}

void SlotIndex::insert(std::uint64_t hash, std::uint32_t slot) {
    if ((count_ + 1) * 3 > cells_.size() * 2) reserve(cells_.size());
    put({static_cast<std::uint32_t>(tag_of(hash)), slot});
    ++count_;
}

// Following entries move up if their search would otherwise end at the new gap.
void SlotIndex::erase(std::uint64_t hash, std::uint32_t slot) {
    auto gap = tag_of(hash) & mask_;
    while (cells_[gap].slot != slot) {
        if (cells_[gap].slot == kEmpty) return;
        gap = (gap + 1) & mask_;
    }
    for (auto at = (gap + 1) & mask_; cells_[at].slot != kEmpty; at = (at + 1) & mask_) {
        const auto from_home = (at - (cells_[at].tag & mask_)) & mask_;
        if (from_home < ((at - gap) & mask_)) continue;
        cells_[gap] = cells_[at];
        gap = at;
    }
    cells_[gap] = {};
    --count_;
}

}  // namespace snakepit::shm
