// SPDX-License-Identifier: MIT
#include "survey/segment_memory.h"

#include <algorithm>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// Those that use the memory, before those that only have it open.
std::string program_of(const HostSegment& segment) {
    const auto uses =
        std::find_if(segment.users.begin(), segment.users.end(),
                     [](const auto& user) { return user.pid != 0 && user.how != UseKind::open; });
    if (segment.creator.life == Life::lives && !segment.creator.program.empty())
        return segment.creator.program;
    if (uses != segment.users.end()) return uses->program;
    return segment.users.empty() ? std::string() : segment.users.front().program;
}

}  // namespace

std::string identity_of(const HostSegment& segment) {
    if (segment.kind == SegmentKind::system_v)
        return fmt::format("{}:{}:{}", segment.name, segment.name_space, segment.created.micros);
    return fmt::format("{}:{}:{}", segment.device, segment.inode, segment.created.micros);
}

const RememberedSegment* SegmentMemory::find(const std::string& identity) const {
    const auto known = segments_.find(identity);
    return known == segments_.end() ? nullptr : &known->second;
}

void SegmentMemory::put(const std::string& identity, RememberedSegment what) {
    segments_[identity] = std::move(what);
}

std::vector<std::string> SegmentMemory::follow(const HostSurvey& survey) {
    for (const auto& segment : survey.segments) {
        auto group = segment.payer.group;
        auto program = program_of(segment);
        const auto identity = identity_of(segment);
        const auto known = segments_.find(identity);
        if (known == segments_.end()) {
            if (!group.empty() || !program.empty())
                segments_[identity] = {std::move(group), std::move(program), survey.time, true};
            continue;
        }
        auto& what = known->second;
        what.seen = survey.time;
        const auto take = [&what](std::string& known_text, std::string& text) {
            if (text.empty() || text == known_text) return;
            known_text = std::move(text);
            what.changed = true;
        };
        take(what.group, group);
        take(what.program, program);
    }
    // A part of the host may have been out of sight for a survey.
    constexpr std::int64_t kForgotten = 3600LL * 1'000'000;
    std::vector<std::string> forgotten;
    for (const auto& [identity, what] : segments_)
        if (what.seen.micros < survey.time.micros - kForgotten) forgotten.push_back(identity);
    for (const auto& identity : forgotten) segments_.erase(identity);
    return forgotten;
}

}  // namespace snakepit::shm
