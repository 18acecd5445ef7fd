// SPDX-License-Identifier: MIT
// Who pays for segments: asks the kernel about one page of each, which a process has mapped.
#pragma once

#include <cstdint>
#include <vector>

#include "survey/host_survey.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

// A mapping of a segment.
struct MappedSegment {
    std::size_t segment = 0;  // its place in the list
    std::int64_t pid = 0;
    std::int64_t thread = 0;  // that shows it, if the first thread does not
    std::uint64_t begin = 0, end = 0;
};

// Fills in the payers of the survey's segments and its groups. `mapped`: in the order of the
// processes.
//
// Nothing is opened, mapped or attached for it: whoever opens a file shows among its users, breaks
// a lease and wakes those who watch for that, and touching a page may allocate it. The physical
// page comes from the process's pagemap, the group from /proc/kpagecgroup, and the process is asked
// again afterwards: it must still have the same page of the same file there.
void find_payers(const ProcessTable& table, const std::vector<MappedSegment>& mapped,
                 const SegmentMemory* memory, HostSurvey& survey);

}  // namespace snakepit::shm::survey
