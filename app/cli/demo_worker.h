// SPDX-License-Identifier: MIT
// A worker of `snakepit-shm demo`: shares data with the others until it is asked to end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "command.h"

namespace snakepit::shm::cli {

inline constexpr std::string_view kDemoWorkerCommand = "demo-worker";

// What a worker has done so far; it prints this as a line after each round.
struct DemoTally {
    std::uint64_t allocated = 0, deallocated = 0;
    std::uint64_t verified = 0;  // reads of another's region whose checksum was right
    std::uint64_t corrupt = 0;   // and those where it was not
    std::uint64_t bytes = 0;     // read and verified

    std::string line() const;
    static Result<DemoTally> parse(const std::string& line);
    DemoTally& operator+=(const DemoTally& other);
};

void add_demo_worker(Command& app);

}  // namespace snakepit::shm::cli
