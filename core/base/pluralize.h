// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace snakepit::shm {

// "1 region", "3 regions". Pass `many` where the plural is not `one` plus "s".
inline std::string pluralize(std::uint64_t count, std::string_view one,
                             std::string_view many = {}) {
    return count == 1     ? fmt::format("1 {}", one)
           : many.empty() ? fmt::format("{} {}s", count, one)
                          : fmt::format("{} {}", count, many);
}

}  // namespace snakepit::shm
