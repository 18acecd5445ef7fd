// SPDX-License-Identifier: MIT
#include "moments.h"

#include <fmt/format.h>

#include "base/moment.h"
#include "command.h"

namespace snakepit::shm::cli {

Result<std::optional<Timestamp>> moment(const std::string& word) {
    if (word.empty()) return std::optional<Timestamp>{};
    SHM_ASSIGN(const auto read, parse_moment(word));
    return std::optional(read);
}

std::vector<std::string> event_kinds() {
    std::vector<std::string> out;
#define X(name, number) out.emplace_back(#name);
    SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
    return out;
}

Status choose_events(EventQuery& query, const InstancePaths& paths, const std::string& region,
                     const std::string& kind) {
    if (!region.empty()) {
        SHM_ASSIGN(const auto id, find_recorded_region(paths.events_db(), region));
        query.region_id = id.str();
    }
    if (kind.empty()) return {};
    query.kind = parse_event_kind(kind);
    if (query.kind) return {};
    return fail(ErrorCode::invalid_argument, fmt::format("unknown event kind '{}'", kind),
                "snakepit-shm help events lists them");
}

}  // namespace snakepit::shm::cli
