// SPDX-License-Identifier: MIT
#include <algorithm>

#include "survey/process_view.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::uint32_t kGroupBits = 0060, kOtherBits = 0006;  // may read or write it

void add(std::vector<std::uint32_t>& numbers, std::uint32_t number) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end())
        numbers.push_back(number);
}

}  // namespace

// The owner is let in whatever the mode says: he can change it.
Access access_of(const HostSegment& segment) {
    Access access;
    const bool system_v = segment.kind == SegmentKind::system_v;
    access.everybody = (segment.mode & kOtherBits) != 0 || segment.has_acl;
    add(access.users, segment.uid);
    if (system_v) add(access.users, segment.creator_uid);
    if ((segment.mode & kGroupBits) != 0) {
        add(access.groups, segment.gid);
        if (system_v) add(access.groups, segment.creator_gid);
    }
    return access;
}

}  // namespace snakepit::shm::survey
