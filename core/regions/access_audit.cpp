// SPDX-License-Identifier: MIT
#include "regions/access_audit.h"

#include "layout/event_kind.h"

namespace snakepit::shm {

Status AccessAudit::may_begin(std::uint32_t slot) const {
    return applies(slot) ? state_.can_record() : Status{};
}

void AccessAudit::begun(std::uint32_t slot, const Credentials& by, AccessMode access) const {
    registry_.record(slot, {.kind = EventKind::accessed,
                            .pid = by.pid,
                            .uid = by.uid,
                            .count = access == AccessMode::read_write ? 1U : 0U});
}

void AccessAudit::ended(std::uint32_t slot, std::int64_t pid, std::uint32_t uid,
                        std::string_view process) const {
    registry_.record(slot,
                     {.kind = EventKind::access_ended, .pid = pid, .uid = uid, .text = process});
}

std::optional<std::int64_t> AccessAudit::settle(std::uint32_t slot, std::int64_t at, bool all) {
    if (!applies(slot)) return std::nullopt;
    const auto since = idle_since_.find(slot);
    const bool waited = since != idle_since_.end() && at - since->second >= kIdleMicros;
    const auto over = counter_.end_grants(slot, registry_.control(slot).generation, all || waited);
    for (const auto client : over.clients) {
        const auto& record = grants_.record(client);
        ended(slot, record.pid, record.uid, record.process);
    }
    if (!over.idle) {
        if (since != idle_since_.end()) idle_since_.erase(since);
        return std::nullopt;
    }
    return idle_since_.emplace(slot, at).first->second + kIdleMicros;
}

}  // namespace snakepit::shm
