// SPDX-License-Identifier: MIT
#include "base/time.h"

#include <cstdio>
#include <ctime>

#include <fmt/format.h>

namespace snakepit::shm {

Timestamp now() {
    timespec ts{};
    ::clock_gettime(CLOCK_REALTIME, &ts);
    return {static_cast<std::int64_t>(ts.tv_sec) * 1'000'000 + ts.tv_nsec / 1000};
}

std::int64_t monotonic_nanos() {
    timespec ts{};
    ::clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

std::string to_rfc3339(Timestamp time) {
    if (time.micros == 0) return {};
    std::time_t seconds = time.micros / 1'000'000;
    std::int64_t fraction = time.micros % 1'000'000;
    if (fraction < 0) {
        fraction += 1'000'000;
        --seconds;
    }
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       fraction);
}

std::optional<Timestamp> from_rfc3339(std::string_view text) {
    std::tm parts{};
    int length = 0;
    const std::string copy(text);
    // At most four digits each: they fit.
    // NOLINTNEXTLINE(cert-err34-c)
    if (std::sscanf(copy.c_str(), "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                    &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &length) != 6)
        return std::nullopt;
    // timegm() would accept a 45th day of a 13th month.
    const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
    if (!within(parts.tm_year, 0, 9999) || !within(parts.tm_mon, 1, 12) ||
        !within(parts.tm_mday, 1, 31) || !within(parts.tm_hour, 0, 23) ||
        !within(parts.tm_min, 0, 59) || !within(parts.tm_sec, 0, 60))
        return std::nullopt;
    std::int64_t fraction = 0;
    auto rest = std::string_view(copy).substr(static_cast<std::size_t>(length));
    if (!rest.empty() && rest.front() == '.') {
        rest.remove_prefix(1);
        std::int64_t unit = 100'000;
        while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
            fraction += (rest.front() - '0') * unit;
            unit /= 10;
            rest.remove_prefix(1);
        }
    }
    if (rest != "Z" && rest != "z") return std::nullopt;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return Timestamp{static_cast<std::int64_t>(::timegm(&parts)) * 1'000'000 + fraction};
}

}  // namespace snakepit::shm
