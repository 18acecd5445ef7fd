// SPDX-License-Identifier: MIT
#include "telemetry/reference_growth.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"

namespace snakepit::shm {

std::string evidence_of(const GrowingClient& client) {
    constexpr std::int64_t kAboutAMinute = 90'000'000;
    const auto ago = client.within < kAboutAMinute ? std::string("a minute")
                                                   : format_duration(client.within / 1000);
    return fmt::format("holds {}, {} more than {} ago", pluralize(client.references, "reference"),
                       client.gained, ago);
}

// Acquired references are counted by sweeps a moment before or after held ones; a difference of
// this size is not a release.
bool ReferenceGrowth::only_takes(const Point& from, const Point& to) {
    if (to.references <= from.references) return false;
    const auto gained = to.references - from.references;
    const auto taken = to.taken - from.taken;
    return taken <= gained + std::max<std::uint64_t>(2, gained / 4);
}

void ReferenceGrowth::look(std::int64_t at, std::span<const ClientReferences> clients) {
    growing_.clear();
    for (auto& [serial, history] : clients_) history.seen = false;
    for (const auto& client : clients) {
        auto& history = clients_[client.serial];
        history.seen = true;
        const Point now{at, client.references, client.taken};
        auto& points = history.points;
        if (points.empty() || !only_takes(points.back(), now)) {
            points.clear();
            history.bottom = now;
        }
        points.push_back(now);
        if (points.size() > kLooks) points.pop_front();
        if (points.size() < kLooks) continue;
        const auto gained = now.references - points.front().references;
        if (gained >= kLeast)
            growing_.push_back({client.serial, client.references, gained, at - points.front().at,
                                history.bottom.at, history.bottom.references});
    }
    std::erase_if(clients_, [](const auto& entry) { return !entry.second.seen; });
    std::sort(growing_.begin(), growing_.end(),
              [](const auto& a, const auto& b) { return a.gained > b.gained; });
}

}  // namespace snakepit::shm
