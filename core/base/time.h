// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace snakepit::shm {

// Microseconds since 1970-01-01 UTC; 0 means "never". The unit of every stored time.
struct Timestamp {
    std::int64_t micros = 0;
    friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

inline constexpr std::int64_t kMicrosPerSecond = 1'000'000;
inline constexpr std::int64_t kNanosPerMilli = 1'000'000;

Timestamp now();

// Nanoseconds of the monotonic clock; for durations only.
std::int64_t monotonic_nanos();

// Microseconds since this system was started, suspended time included (CLOCK_BOOTTIME). It cannot
// be set, so deadlines use it. Readings of different boots cannot be compared.
std::int64_t boot_micros();

// "2026-11-22T22:17:35.000123Z"; an empty string for "never".
std::string to_rfc3339(Timestamp time);
std::optional<Timestamp> from_rfc3339(std::string_view text);

}  // namespace snakepit::shm
