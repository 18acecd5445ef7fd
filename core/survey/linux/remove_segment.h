// SPDX-License-Identifier: MIT
// Takes one segment away, after a last look at it.
#pragma once

#include "base/result.h"
#include "survey/host_survey.h"
#include "survey/linux/places.h"

namespace snakepit::shm::survey {

enum class Rehearsal : std::uint8_t { no, yes };

// A file that nobody maps or has open and that is still the one `segment` describes. Where the
// kernel grants no lease on it, `unused` is asked to look at every process again. region_in_use,
// region_not_found when another stands there or none, permission_denied.
Status remove_file(const HostSegment& segment, const FilePlace& place, Rehearsal rehearsal,
                   const std::function<Status()>& unused);

// A System V segment, likewise.
Status remove_system_v(const HostSegment& segment, const TablePlace& place, Rehearsal rehearsal);

}  // namespace snakepit::shm::survey
