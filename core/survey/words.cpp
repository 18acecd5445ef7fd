// SPDX-License-Identifier: MIT
#include "survey/host_survey.h"

namespace snakepit::shm {

std::string_view to_string(SegmentKind kind) {
    switch (kind) {
        case SegmentKind::posix:
            return "posix";
        case SegmentKind::system_v:
            return "sysv";
        case SegmentKind::memfd:
            return "memfd";
    }
    return "unknown";
}

std::string_view to_string(SegmentVerdict verdict) {
    switch (verdict) {
        case SegmentVerdict::in_use:
            return "in_use";
        case SegmentVerdict::ours:
            return "ours";
        case SegmentVerdict::kept:
            return "kept";
        case SegmentVerdict::left_over:
            return "left_over";
        case SegmentVerdict::unknown:
            return "unknown";
    }
    return "unknown";
}

}  // namespace snakepit::shm
