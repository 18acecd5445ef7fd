// SPDX-License-Identifier: MIT
#include "regions/refusals.h"

#include <fmt/format.h>

namespace snakepit::shm {

Error Refusals::refuse(const Caller& caller, Error error, std::string_view operation,
                       const RegionId& id) {
    auto& registry = registry_;
    if (cleanup_helps(error.code)) {
        lifecycle_.sweep(registry.time());  // the advice is true now, not at the last sweep
        const auto& totals = registry.totals();
        advise_cleanup(error,
                       {totals.cleanable_regions, totals.cleanable_bytes, totals.regions == 0});
    }
    error = errors_.handle(std::move(error), {operation, id, caller.credentials, caller.process});
    if (error.type() != ErrorType::permission_denied &&
        error.type() != ErrorType::security_violation)
        return error;
    ++stats_.counters.refusals;
    record({.kind = EventKind::refused,
            .result = error.code,
            .pid = caller.credentials.pid,
            .uid = caller.credentials.uid,
            .text = error.reason.empty() ? std::string(operation)
                                         : fmt::format("{}: {}", operation, error.reason),
            .id = id});
    return error;
}

void Refusals::record(const Event& event) {
    if (!log_.own_event(event.uid, registry_.time())) return;
    registry_.record(event);
    if (event.kind == EventKind::refused)
        state_.alarm(fmt::format("user {} (process {}) was refused: {}{}{} ({})", event.uid,
                                 event.pid, event.text, event.id.micros != 0 ? ", " : "",
                                 event.id.micros != 0 ? event.id.str() : "",
                                 to_string(event.result)));
}

void Refusals::record_counted(std::int64_t at) {
    for (const auto& [uid, count] : log_.over(at)) {
        registry_.record({.kind = EventKind::more_refused, .uid = uid, .count = count});
        state_.alarm(fmt::format("user {} was refused {} more times", uid, count));
    }
}

}  // namespace snakepit::shm
