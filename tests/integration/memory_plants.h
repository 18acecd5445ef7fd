// SPDX-License-Identifier: MIT
// Shared memory in every place that a survey may miss. They need mount, IPC and pid namespaces of
// their own, and undo what they did.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace snakepit::shm::test {

inline constexpr std::uint64_t kPage = 4096;

// What a plant adds: to what is listed, and to what is not; and what the survey says of that.
struct Plant {
    std::uint64_t listed = 0, hidden = 0;
    const char* note = nullptr;
    const char* segment = nullptr;  // a part of a name that is listed
    std::function<void()> undo = [] {};
};
struct PlantRow {
    const char* what;
    std::function<Plant()> plant;
};
const std::vector<PlantRow>& plant_rows();

Plant memory_without_a_name();
Plant memory_in_a_socket();
Plant table_segments();  // three, of 69 pages together

// Ends the test, with errno.
void must(bool done, const char* what);

// A child that does `work`, tells that it is done, and rests.
pid_t child_that(const std::function<void()>& work);
void end(pid_t child);

}  // namespace snakepit::shm::test
