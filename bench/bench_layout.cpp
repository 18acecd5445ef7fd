// SPDX-License-Identifier: MIT
#include "harness.h"
#include "layout/grants_layout.h"
#include "layout/lease_page.h"
#include "layout/registry_layout.h"

namespace snakepit::shm::bench {

// Not measured but computed: what the frozen layouts cost.
void measure_layout(Report& report) {
    using namespace layout;
    constexpr double change = sizeof(std::uint64_t);
    report.add({"registry bytes a region (without metadata)", "budget", "B", 640,
                change + sizeof(SlotStats) + sizeof(Slot), 1});
    constexpr double word = 8, takes = 4, grant = 4;
    report.add(
        {"lease and grant bytes a region and client", "budget", "B", 16, word + takes + grant, 1});
}

}  // namespace snakepit::shm::bench
