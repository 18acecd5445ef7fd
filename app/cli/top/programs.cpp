// SPDX-License-Identifier: MIT
#include "top/programs.h"

#include <algorithm>
#include <numeric>

namespace snakepit::shm::cli {

namespace {

// Places in the order of their names, then of their numbers.
std::vector<std::int64_t> name_ranks(const std::vector<ProgramRow>& programs) {
    std::vector<std::size_t> order(programs.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const auto& left = programs[a];
        const auto& right = programs[b];
        return std::tie(left.process, left.pid) < std::tie(right.process, right.pid);
    });
    std::vector<std::int64_t> out(programs.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        out[order[i]] = -static_cast<std::int64_t>(i);  // "highest first" is from A to Z
    return out;
}

}  // namespace

std::vector<ProgramRow> programs(const std::vector<ClientInfo>& clients,
                                 const RegionRows& regions) {
    std::vector<ProgramRow> out;
    std::unordered_map<std::int64_t, std::size_t> place;
    for (const auto& client : clients) {
        // Those of other pid namespaces have no number; what they hold is under none of them.
        const auto key = client.pid != 0 ? client.pid : -static_cast<std::int64_t>(client.serial);
        const auto [it, fresh] = place.try_emplace(key, out.size());
        if (fresh) {
            out.push_back({client.pid, client.uid, client.process, client.worker, client.pool,
                           client.session, client.connected_at, client.connected, client.hostile, 0,
                           0, 0});
            continue;
        }
        auto& row = out[it->second];  // a second connection of the same process
        row.connected = row.connected || client.connected;
        row.hostile = row.hostile || client.hostile;
        row.since = std::min(row.since, client.connected_at);
        if (row.worker.empty()) row.worker = client.worker;
        if (row.session.empty()) row.session = client.session;
    }
    regions.each_matching([&](const RegionRow& region) {
        for (const auto& reference : region.info.references) {
            const auto it = place.find(reference.pid);
            if (it == place.end() || reference.count == 0) continue;
            auto& row = out[it->second];
            row.references += reference.count;
            row.regions += 1;
            row.bytes += region.info.size;
        }
    });
    return out;
}

Ranking ranking(const std::vector<ProgramRow>& programs, SortKey key) {
    std::vector<std::int64_t> names;
    if (key == SortKey::name) names = name_ranks(programs);
    Ranking out;
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const auto& row = programs[i];
        std::int64_t rank = 0;
        switch (key) {
            case SortKey::size:
                rank = static_cast<std::int64_t>(row.bytes);
                break;
            case SortKey::references:
                rank = static_cast<std::int64_t>(row.references);
                break;
            case SortKey::holders:
            case SortKey::used:
                rank = static_cast<std::int64_t>(row.regions);
                break;
            case SortKey::age:
                rank = -row.since.micros;
                break;
            case SortKey::name:
                rank = names[i];
                break;
        }
        out.add({rank, {0, static_cast<std::uint64_t>(row.pid)}, static_cast<std::uint32_t>(i)});
    }
    return out;
}

}  // namespace snakepit::shm::cli
