// SPDX-License-Identifier: MIT
// Compares the kernel's count of shared memory with what a survey found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "survey/host_survey.h"
#include "survey/linux/memory_mounts.h"
#include "survey/linux/places.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

// "1 (systemd), 7 (sshd), 9 (cron) and 61 more".
std::string named(const ProcessTable& table, const LookResult::Some& some);

struct BalanceParts {
    const ProcessTable& table;
    const Places& places;
    MemoryMounts& mounts;
    const LookResult& look;
    const std::vector<HostSegment>& segments;
    std::uint64_t memfd_device = 0;  // of small pages; 0: unknown
};
MemoryBalance balance_of(const BalanceParts& parts);

// Of our own IPC namespace. `segments`: all of the survey.
SystemVLimits system_v_limits(const ProcessTable& table, const std::vector<HostSegment>& segments);

}  // namespace snakepit::shm::survey
