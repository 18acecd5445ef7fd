// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace snakepit::shm {

struct Command {
    std::vector<std::string> words;  // the program's full path, and its arguments
    std::vector<std::string>
        environment;    // "NAME=value"; otherwise only PATH, HOME, LANG, TZ … of our environment
    std::string input;  // its standard input; its output is discarded, no other descriptor is open
    int timeout_ms = 10'000;  // after this it is killed with all its children
};

// Runs the command until it ends, or kills it when `cancelled` becomes true. SIGPIPE must be
// blocked or ignored. Any thread. Errors: timeout; platform_error if it cannot be started or its
// status is not 0.
Status run_command(const Command& command, const std::atomic<bool>& cancelled);

}  // namespace snakepit::shm
