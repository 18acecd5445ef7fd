// SPDX-License-Identifier: MIT
// Maps and unmaps that are timed: the same work as the others', between two looks at the clock.
#include <algorithm>

#include "base/time.h"
#include "client/manager_client_private.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// What looking at the clock twice adds, nanoseconds: as much as a map itself.
std::int64_t clock_cost() {
    constexpr int kLooks = 32;
    std::int64_t least = INT64_MAX;
    for (int i = 0; i < kLooks; ++i) {
        const auto began = monotonic_nanos();
        least = std::min(least, monotonic_nanos() - began);
    }
    return least;
}

std::uint64_t since(std::int64_t began) {
    static const auto cost = clock_cost();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, monotonic_nanos() - began - cost));
}

}  // namespace

Result<MappedRegion> ManagerClient::Private::map_timed(const RegionId& id, AccessMode access) {
    LeasePage::Acquire outcome{};
    const auto began = monotonic_nanos();
    auto* entry = mapper.find(id);
    if (!entry) return map_asking(id, access);
    auto mapped = mapper.acquire(*entry, id, access, outcome);
    const auto nanos = since(began);
    if (!mapped) return mapped;
    if (outcome != LeasePage::Acquire::acquired) return map_asking(id, access);
    if (!mapped->plain()) {
        (void)release(*mapped);
        return map_asking(id, access);
    }
    auto& times = connection->lease().times();
    times.add(times.map, nanos);
    mapped->timed = true;
    return mapped;
}

Status ManagerClient::Private::release_timed(const MappedRegion& mapping) {
    const auto began = monotonic_nanos();
    auto given = release(mapping);
    const auto nanos = since(began);
    auto& times = connection->lease().times();
    if (given) times.add(times.unmap, nanos);
    return given;
}

}  // namespace snakepit::shm
