// SPDX-License-Identifier: MIT
// Who holds what: the clients, with what the regions say of them.
#pragma once

#include <string>
#include <vector>

#include "top/region_rows.h"

namespace snakepit::shm::cli {

struct ProgramRow {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string process, worker, pool, session;
    Timestamp since;
    bool connected = false, hostile = false;
    std::uint64_t references = 0;  // of the regions that match the filter, as the registry names
    std::uint64_t regions = 0;     // them: it knows at most five holders of each
    std::uint64_t bytes = 0;
};

// One row a process, of whatever holds or could hold regions.
std::vector<ProgramRow> programs(const std::vector<ClientInfo>& clients, const RegionRows& regions);
Ranking ranking(const std::vector<ProgramRow>& programs, SortKey key);

}  // namespace snakepit::shm::cli
