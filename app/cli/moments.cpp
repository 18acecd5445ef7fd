// SPDX-License-Identifier: MIT
#include "moments.h"

#include <fmt/format.h>

#include "base/units.h"
#include "command.h"

namespace snakepit::shm::cli {

Result<std::optional<Timestamp>> moment(const std::string& word) {
    if (word.empty()) return std::optional<Timestamp>{};
    if (const auto exact = from_rfc3339(word)) return exact;
    if (const auto ago = parse_duration(word)) return Timestamp{now().micros - *ago * 1000};
    return fail(ErrorCode::invalid_argument, fmt::format("expected a time, not '{}'", word),
                "write 2026-11-22T22:17:35Z, or how long ago, such as 10m");
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
