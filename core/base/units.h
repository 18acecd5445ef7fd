// SPDX-License-Identifier: MIT
// Sizes, durations and percentages in the form in which people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm {

// "4096", "64KiB", "1.5 MiB", "2GiB", "1TiB"; case does not matter, "K" is read as KiB. Bytes.
// "1MB" is refused: it may be 10^6 or 2^20 bytes.
Result<std::uint64_t> parse_size(std::string_view text);
// "250ms", "5s", "10m", "2h", "7d", or a plain number of milliseconds. Milliseconds.
Result<std::int64_t> parse_duration(std::string_view text);

// "256 MiB", "1.5 KiB", "17 B".
std::string format_size(std::uint64_t bytes);
std::string format_growth(std::int64_t bytes);  // "+12 MiB", "-4 KiB", "0 B"
// "3.2 s", "12 min", "4 h"; milliseconds in.
std::string format_duration(std::int64_t millis);
// "830 ns", "12.3 µs", "4.56 ms", "1.20 s": at most three digits below 1000 s; nanoseconds in.
std::string format_nanos(double nanos);

}  // namespace snakepit::shm
