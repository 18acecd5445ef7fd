// SPDX-License-Identifier: MIT
#include "base/moment.h"

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

Result<Timestamp> parse_moment(std::string_view text) {
    if (const auto exact = from_rfc3339(text)) return *exact;
    if (const auto ago = parse_duration(text)) return Timestamp{now().micros - *ago * 1000};
    return fail(ErrorCode::invalid_argument, fmt::format("expected a time, not '{}'", text),
                "write 2026-11-22T22:17:35Z, or how long ago, such as 10m");
}

}  // namespace snakepit::shm
