// SPDX-License-Identifier: MIT
// Takes one segment away, after a last look at it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "survey/host_survey.h"
#include "survey/linux/places.h"

namespace snakepit::shm::survey {

enum class Rehearsal : std::uint8_t { no, yes };

// How it is known that nobody has the file.
enum class Proof : std::uint8_t {
    lease,  // the kernel is asked
    look,   // every process was looked at, right before
};

// Removes these of its names, paths below the place's directory, from a file that nobody maps or
// has open and that is still the one `segment` describes. The answer: how many names are left.
// region_in_use; region_not_found when another stands there or none; not_supported where the kernel
// grants no lease on it.
Result<std::uint64_t> remove_file(const HostSegment& segment, const FilePlace& place,
                                  const std::vector<std::string>& paths, Proof proof,
                                  Rehearsal rehearsal);

// A System V segment, likewise.
Status remove_system_v(const HostSegment& segment, const TablePlace& place, Rehearsal rehearsal);

}  // namespace snakepit::shm::survey
