// SPDX-License-Identifier: MIT
#include "survey/host_survey.h"
#include "survey/process_tree.h"

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

int rank(SegmentVerdict verdict) {
    switch (verdict) {
        case SegmentVerdict::left_over:
            return 0;
        case SegmentVerdict::unknown:
            return 1;
        case SegmentVerdict::kept:
            return 2;
        case SegmentVerdict::ours:
            return 3;
        case SegmentVerdict::in_use:
            break;
    }
    return 4;
}

std::string_view to_string(TreeUse use) {
    switch (use) {
        case TreeUse::opened:
            return "opened";
        case TreeUse::mapped:
            return "mapped";
        case TreeUse::attached:
            return "attached";
        case TreeUse::created:
            return "created";
    }
    return "unknown";
}

std::string_view to_string(Attribution attribution) {
    switch (attribution) {
        case Attribution::isolated:
            return "isolated";
        case Attribution::exact:
            return "exact";
        case Attribution::mappings:
            return "mappings";
        case Attribution::looks:
            return "looks";
    }
    return "unknown";
}

}  // namespace snakepit::shm
