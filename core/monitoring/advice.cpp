// SPDX-License-Identifier: MIT
#include "monitoring/advice.h"

#include <algorithm>
#include <utility>

namespace snakepit::shm {

namespace {

constexpr std::size_t kMostTakers = 5;

void add(std::vector<Recommendation>& out, std::optional<Recommendation> one) {
    if (one) out.push_back(std::move(*one));
}

void add_takers(std::vector<Recommendation>& out, RegionService& service,
                const Monitoring& monitoring) {
    for (const auto& client : monitoring.growing()) {
        if (out.size() >= kMostTakers) return;
        for (const auto index : service.clients()) {
            const auto& record = service.client(index);
            if (record.serial.load(std::memory_order_relaxed) != client.serial) continue;
            const auto seconds = (service.registry().time() - client.since) / 1'000'000;
            out.push_back(never_unmaps(
                {monitoring.name_of(client.serial), record.session, evidence_of(client), seconds}));
        }
    }
}

}  // namespace

std::vector<Recommendation> advice_for(RegionService& service, const Config& config,
                                       const Monitoring& monitoring) {
    std::vector<Recommendation> out;
    const auto& history = monitoring.history();
    add_takers(out, service, monitoring);
    add(out, limit_ahead({"regions", static_cast<double>(config.max_regions), false, "max_regions"},
                         history.regions()));
    add(out, limit_ahead({"memory of regions", static_cast<double>(config.max_total_memory), true,
                          "max_total_memory"},
                         history.memory()));
    add(out, limit_ahead({"the host's shared memory",
                          static_cast<double>(monitoring.performance().last().shm_total), true,
                          "the size of its file system"},
                         history.host()));
    for (auto& met : limits_met(service.errors().by_code())) out.push_back(std::move(met));

    std::vector<ArenaUse> arenas;
    for (const auto& arena : service.allocator().pool.report())
        arenas.push_back({arena.used, arena.high_water, arena.reserved});
    const auto totals = service.totals();
    add(out, idle_memory(totals.cleanable_regions, totals.cleanable_bytes,
                         service.allocator().bytes_used()));
    add(out, smaller_arenas(arenas, config.arena_size));
    add(out, defragmentation(arenas));
    return out;
}

}  // namespace snakepit::shm
