// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace snakepit::shm {

// Maps a hash to the slots that have it. It stores no keys: the caller compares with the slot's
// data. One array of 8 bytes an entry, so that opening a registry with a million regions allocates
// once. Service thread only.
class SlotIndex {
  public:
    SlotIndex() { reserve(1024); }
    // Room for `entries`; never shrinks.
    void reserve(std::size_t entries);
    void insert(std::uint64_t hash, std::uint32_t slot);
    // Does nothing if the entry does not exist.
    void erase(std::uint64_t hash, std::uint32_t slot);

    // The slot with this hash for which `is(slot)` is true.
    template <typename Is>
    std::optional<std::uint32_t> find(std::uint64_t hash, Is is) const {
        const auto tag = tag_of(hash);
        for (auto at = tag & mask_; cells_[at].slot != kEmpty; at = (at + 1) & mask_)
            if (cells_[at].tag == tag && is(cells_[at].slot)) return cells_[at].slot;
        return std::nullopt;
    }

  private:
    static constexpr std::uint32_t kEmpty = 0xFFFFFFFF;  // not a valid slot number
    struct Cell {
        std::uint32_t tag = 0;
        std::uint32_t slot = kEmpty;
    };
    // Fibonacci hashing: the upper half of the product depends on every bit.
    static constexpr std::size_t tag_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash * 0x9E3779B97F4A7C15ULL >> 32);
    }
    void put(Cell cell);

    std::vector<Cell> cells_;  // a power of two, at most two thirds full
    std::size_t mask_ = 0;
    std::size_t count_ = 0;
};

}  // namespace snakepit::shm
