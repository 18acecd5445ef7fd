// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "layout/words.h"

namespace snakepit::shm {

// What all regions are together. Kept as slots change, so that asking costs nothing however many
// there are.
struct RegionTotals {
    std::uint64_t regions = 0, quarantined = 0, damaged = 0, inconsistent = 0, references = 0;
    std::uint64_t orphans = 0, orphan_bytes = 0;               // bytes as reserved, as all here
    std::uint64_t idle_regions = 0, idle_bytes = 0;            // live, and held by nobody
    std::uint64_t cleanable_regions = 0, cleanable_bytes = 0;  // idle or in quarantine, and whole

    // A slot as it is, counted in or, with `times` -1, out again.
    void count(const layout::Control& word, std::uint64_t held, std::uint64_t bytes, int times) {
        if (!word.occupied()) return;
        const auto by = static_cast<std::uint64_t>(static_cast<std::int64_t>(times));
        const bool quarantine = word.state == layout::SlotState::quarantined;
        const bool live = word.state == layout::SlotState::live;
        const auto add = [by](bool counts, std::uint64_t& sum, std::uint64_t what) {
            sum += counts ? by * what : 0;
        };
        regions += by;
        references += by * held;
        add(quarantine, quarantined, 1);
        add(word.damaged, damaged, 1);
        add(word.inconsistent, inconsistent, 1);
        add(word.orphan, orphans, 1);
        add(word.orphan, orphan_bytes, bytes);
        add(live && held == 0, idle_regions, 1);
        add(live && held == 0, idle_bytes, bytes);
        const bool cleanable = (live || quarantine) && !word.damaged && held == 0;
        add(cleanable, cleanable_regions, 1);
        add(cleanable, cleanable_bytes, bytes);
    }
    friend bool operator==(const RegionTotals&, const RegionTotals&) = default;
};

}  // namespace snakepit::shm
