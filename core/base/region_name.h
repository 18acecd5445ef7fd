// SPDX-License-Identifier: MIT
// Names of regions, as programs and people write them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm {

inline constexpr std::size_t kMaxRegionNameBytes = 255;

// At most kMaxRegionNameBytes of UTF-8 without control characters; not empty, not "shm_…", no '/',
// and not beginning with '-' or '~'. invalid_argument.
Status check_region_name(std::string_view name);

// NAME, or USER/NAME for a region of another user.
struct RegionName {
    std::string user;  // a user's name or number; empty: the caller
    std::string name;

    // invalid_region_id for a word that cannot be a region's name; never call it with an id.
    static Result<RegionName> parse(std::string_view word);
    std::string str() const { return user.empty() ? name : user + "/" + name; }
};

}  // namespace snakepit::shm
