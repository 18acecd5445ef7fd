// SPDX-License-Identifier: MIT
#include "base/time.h"

#include <chrono>
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

// The calendar of <chrono>, because gmtime_r() and timegm() are not on every system.
std::string to_rfc3339(Timestamp time) {
    if (time.micros == 0) return {};
    using namespace std::chrono;
    const sys_time<microseconds> moment{microseconds{time.micros}};
    const auto day = floor<days>(moment);
    const year_month_day date{day};
    const hh_mm_ss clock{moment - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
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
    // The calendar would accept a 45th day of a 13th month.
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
    using namespace std::chrono;
    const sys_days day = year{parts.tm_year} / parts.tm_mon / parts.tm_mday;
    const auto moment = day + hours{parts.tm_hour} + minutes{parts.tm_min} + seconds{parts.tm_sec};
    return Timestamp{microseconds{moment.time_since_epoch()}.count() + fraction};
}

}  // namespace snakepit::shm
