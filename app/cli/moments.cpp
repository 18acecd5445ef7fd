// SPDX-License-Identifier: MIT
#include "moments.h"

#include <fmt/format.h>

#include "base/ids.h"
#include "base/units.h"

namespace snakepit::shm::cli {

Result<std::optional<Timestamp>> moment(const std::string& word) {
    if (word.empty()) return std::optional<Timestamp>{};
    if (const auto exact = from_rfc3339(word)) return exact;
    if (const auto ago = parse_duration(word)) return Timestamp{now().micros - *ago * 1000};
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no time", word),
                "write 2026-11-22T22:17:35Z, or how long ago, such as 10m");
}

Status choose(EventQuery& query, const std::string& region, const std::string& kind) {
    if (!region.empty()) {
        SHM_ASSIGN(const auto id, RegionId::parse(region));
        query.region_id = id.str();
    }
    if (kind.empty()) return {};
    query.kind = parse_event_kind(kind);
    if (query.kind) return {};
    return fail(ErrorCode::invalid_argument, fmt::format("no event has the kind '{}'", kind),
                "snakepit-shm help events names them");
}

}  // namespace snakepit::shm::cli
