// SPDX-License-Identifier: MIT
#include <algorithm>
#include <charconv>

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

std::string_view to_string(UseKind use) {
    switch (use) {
        case UseKind::open:
            return "open";
        case UseKind::maps:
            return "maps";
        case UseKind::attached:
            return "attached";
    }
    return "unknown";
}

std::string_view to_string(Life life) {
    switch (life) {
        case Life::lives:
            return "running";
        case Life::gone:
            return "exited";
        case Life::not_told:
            return "not_seen";
    }
    return "not_seen";
}

std::string_view to_string(SegmentCreator::KnownBy known_by) {
    switch (known_by) {
        case SegmentCreator::KnownBy::nothing:
            return "";
        case SegmentCreator::KnownBy::kernel:
            return "kernel";
        case SegmentCreator::KnownBy::name:
            return "name";
        case SegmentCreator::KnownBy::origin_log:
            return "origin_log";
    }
    return "";
}

std::string_view to_string(GroupKind kind) {
    switch (kind) {
        case GroupKind::root:
            return "host";
        case GroupKind::container:
            return "container";
        case GroupKind::pod:
            return "pod";
        case GroupKind::unit:
            return "unit";
        case GroupKind::other:
            return "group";
    }
    return "group";
}

std::string_view to_string(SegmentPayer::KnownBy known_by) {
    switch (known_by) {
        case SegmentPayer::KnownBy::nothing:
            return "";
        case SegmentPayer::KnownBy::page:
            return "page";
        case SegmentPayer::KnownBy::earlier:
            return "earlier";
    }
    return "";
}

std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::none:
            return "";
        case Refusal::in_use:
            return "in_use";
        case Refusal::managed:
            return "managed";
        case Refusal::creator_may_live:
            return "creator_may_live";
        case Refusal::not_permitted:
            return "permission_denied";
        case Refusal::not_known:
            return "not_known";
        case Refusal::not_found:
            return "not_found";
        case Refusal::ambiguous:
            return "ambiguous";
        case Refusal::exchanged:
            return "exchanged";
        case Refusal::failed:
            return "failed";
    }
    return "failed";
}

bool is_called(const HostSegment& segment, std::string_view word) {
    const auto& names = segment.names;
    if (segment.name == word || segment.label == word ||
        std::find(names.begin(), names.end(), word) != names.end())
        return true;
    constexpr int kHexadecimal = 16;
    if (segment.kind != SegmentKind::system_v || segment.name_space != 0 || segment.key == 0 ||
        !word.starts_with("0x"))
        return false;
    word.remove_prefix(2);
    std::uint32_t key = 0;
    const auto end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, key, kHexadecimal);
    return read.ec == std::errc() && read.ptr == end &&
           key == static_cast<std::uint32_t>(segment.key);
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
