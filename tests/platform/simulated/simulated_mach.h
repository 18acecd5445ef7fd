// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "macos_mach/mach_system.h"

namespace snakepit::shm {

// The calls of macOS on Linux: a memory entry is a memfd, and rights are refused as Mach refuses
// them. Shared memory and records are real, so that other processes find them.
struct SimulatedCalls {
    int count = 0;    // calls so far
    int fail_at = 0;  // this call, counted from 1, fails; 0: none
    std::string failed;
};
std::unique_ptr<MachSystem> simulated_mach(std::shared_ptr<SimulatedCalls> calls = {});

}  // namespace snakepit::shm
