// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm {

// "shm_<microseconds>_<16 hexadecimal digits>".
struct RegionId {
    std::uint64_t micros = 0;
    std::uint64_t random = 0;

    static RegionId generate();
    // Accepts exactly the output of str(); anything else is invalid_region_id.
    static Result<RegionId> parse(std::string_view text);
    std::string str() const;
    bool valid() const { return micros != 0; }

    friend auto operator<=>(const RegionId&, const RegionId&) = default;
};

// The secret by which a client identifies itself when it reconnects.
using SessionToken = std::array<std::uint8_t, 16>;

// From the kernel's generator; never blocks once the system is up.
std::uint64_t random_u64();
SessionToken random_token();

// Letters, digits, '.', '_' and '-', 1 to 32 of them, not starting with '.'.
Status check_instance_name(std::string_view name);

}  // namespace snakepit::shm

template <>
struct std::hash<snakepit::shm::RegionId> {
    std::size_t operator()(const snakepit::shm::RegionId& id) const noexcept {
        // Without the bits that differ between the regions of a stash's slot (layout/words.h).
        return static_cast<std::size_t>(id.random ^ ((id.micros >> 16) * 0x9E3779B97F4A7C15ULL));
    }
};
