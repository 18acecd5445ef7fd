// SPDX-License-Identifier: MIT
#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// Spaces are allowed around the number and before its unit, not inside the number.
std::string lower_and_trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

struct Unit {
    std::string_view name;
    double factor;
};

// The number and the factor of its unit; empty if either is invalid, negative or over 2^63.
template <std::size_t N>
std::optional<double> parse_with_units(std::string_view text, const std::array<Unit, N>& units) {
    const auto clean = lower_and_trimmed(text);
    double number = 0;
    const auto* end = clean.data() + clean.size();
    const auto [rest, error] = std::from_chars(clean.data(), end, number, std::chars_format::fixed);
    if (error != std::errc{} || number < 0) return std::nullopt;
    std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
    for (const auto& unit : units)
        if (suffix == unit.name && number * unit.factor < 9.2e18) return number * unit.factor;
    return std::nullopt;
}

constexpr double kKi = 1024.0;
constexpr std::array<Unit, 10> kSizes{{{"", 1},
                                       {"b", 1},
                                       {"k", kKi},
                                       {"kib", kKi},
                                       {"m", kKi* kKi},
                                       {"mib", kKi* kKi},
                                       {"g", kKi* kKi* kKi},
                                       {"gib", kKi* kKi* kKi},
                                       {"t", kKi* kKi* kKi* kKi},
                                       {"tib", kKi* kKi* kKi* kKi}}};
// Powers of ten, which are often meant as powers of two.
constexpr std::array<Unit, 4> kDecimal{{{"kb", 1}, {"mb", 1}, {"gb", 1}, {"tb", 1}}};
constexpr std::array<Unit, 7> kDurations{{{"", 1},
                                          {"ms", 1},
                                          {"s", 1000},
                                          {"m", 60'000},
                                          {"min", 60'000},
                                          {"h", 3'600'000},
                                          {"d", 86'400'000}}};

// One decimal below ten, none above, so that columns stay narrow.
std::string rounded(double value) {
    if (value < 9.95 && std::abs(value - std::round(value)) >= 0.05)
        return fmt::format("{:.1f}", value);
    return fmt::format("{:.0f}", value);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    if (const auto bytes = parse_with_units(text, kSizes))
        return static_cast<std::uint64_t>(*bytes);
    if (parse_with_units(text, kDecimal)) {
        const auto clean = lower_and_trimmed(text);
        const auto unit = static_cast<char>(clean[clean.size() - 2] - 'a' + 'A');
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is ambiguous: {}B is a power of ten or of two", text, unit),
                    fmt::format("write {}iB for {} bytes, or the number of bytes", unit,
                                static_cast<std::uint64_t>(
                                    *parse_with_units(fmt::format("1{}", unit), kSizes))));
    }
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a size", text),
                "write bytes or a number with KiB, MiB, GiB or TiB, such as 256MiB");
}

Result<std::int64_t> parse_duration(std::string_view text) {
    if (const auto millis = parse_with_units(text, kDurations))
        return static_cast<std::int64_t>(*millis);
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a duration", text),
                "write milliseconds or a number with ms, s, m, h or d, such as 30s");
}

std::string format_size(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> names{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < names.size()) {
        value /= kKi;
        ++unit;
    }
    return fmt::format("{} {}", rounded(value), names[unit]);
}

std::string format_growth(std::int64_t bytes) {
    if (bytes == 0) return format_size(0);
    // Also of the smallest number, which has no opposite.
    const auto size =
        bytes < 0 ? ~static_cast<std::uint64_t>(bytes) + 1 : static_cast<std::uint64_t>(bytes);
    return fmt::format("{}{}", bytes < 0 ? '-' : '+', format_size(size));
}

std::string format_duration(std::int64_t millis) {
    const auto value = static_cast<double>(millis);
    if (millis < 1000) return fmt::format("{} ms", millis);
    if (millis < 120'000) return fmt::format("{} s", rounded(value / 1000));
    if (millis < 7'200'000) return fmt::format("{} min", rounded(value / 60'000));
    if (millis < 172'800'000) return fmt::format("{} h", rounded(value / 3'600'000));
    return fmt::format("{} d", rounded(value / 86'400'000));
}

std::string format_nanos(double nanos) {
    std::string_view unit = "ns";
    for (const std::string_view next : {"µs", "ms", "s"}) {
        if (nanos < 999.5) break;
        nanos /= 1000;
        unit = next;
    }
    const int decimals = nanos >= 99.95 || nanos == std::floor(nanos) ? 0 : nanos >= 9.995 ? 1 : 2;
    return fmt::format("{:.{}f} {}", nanos, decimals, unit);
}

}  // namespace snakepit::shm
