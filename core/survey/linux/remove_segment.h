// SPDX-License-Identifier: MIT
// Removes one segment, after a last check.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "survey/host_survey.h"
#include "survey/linux/places.h"

namespace snakepit::shm::survey {

enum class Rehearsal : std::uint8_t { no, yes };

// How it is verified that no process has the file.
enum class Proof : std::uint8_t {
    lease,  // the kernel is asked
    look,   // every process was checked right before
};

// Removes these names (paths below the place's directory) of a file, if no process has it mapped or
// open and it is still the file of `segment`. Returns the number of remaining names. Errors:
// region_in_use; region_not_found if the file is missing or was replaced; not_supported if the
// kernel grants no lease.
Result<std::uint64_t> remove_file(const HostSegment& segment, const FilePlace& place,
                                  const std::vector<std::string>& paths, Proof proof,
                                  Rehearsal rehearsal);

// The same for a System V segment.
Status remove_system_v(const HostSegment& segment, const TablePlace& place, Rehearsal rehearsal);

}  // namespace snakepit::shm::survey
