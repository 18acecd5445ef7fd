// SPDX-License-Identifier: MIT
#include "layout/event_kind.h"

namespace snakepit::shm {

std::string_view to_string(EventKind kind) {
    switch (kind) {
#define X(name, number)   \
    case EventKind::name: \
        return #name;
        SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
    }
    return "unknown";
}

std::optional<EventKind> parse_event_kind(std::string_view text) {
#define X(name, number) \
    if (text == #name) return EventKind::name;
    SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
    return std::nullopt;
}

}  // namespace snakepit::shm
