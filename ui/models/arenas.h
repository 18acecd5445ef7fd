// SPDX-License-Identifier: GPL-3.0-or-later
// Arenas: segments that pooled regions share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace snakepit::shm::ui {

struct Arena {
    std::string name;
    std::uint32_t uid = 0;  // whose regions are in it
    std::uint64_t size = 0, used = 0;
    std::uint64_t holes = 0;         // free bytes before the end of its last region
    std::uint64_t largest_free = 0;  // the largest region that fits
    std::uint64_t reserved = 0;      // bytes with pages
    std::uint64_t dirty = 0;         // bytes that regions used before, not zeroed yet
    std::uint64_t regions = 0;       // that the registry shows in it
};

struct ArenaReport {
    std::vector<Arena> arenas;  // the manager lists a bounded number
    std::uint64_t count = 0;    // of all
    Arena total;                // without a name
    double fragmentation = 0;   // holes as a part of what is between the first and the last region
};

// The manager's report "arenas"; protocol_error when it is not a JSON object.
Result<ArenaReport> parse_arenas(std::string_view json);

}  // namespace snakepit::shm::ui
