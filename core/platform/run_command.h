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
        environment;    // "NAME=value"; with it only PATH, HOME, LANG, TZ … of ours
    std::string input;  // on its standard input; its output goes nowhere, nothing else is open
    int timeout_ms = 10'000;  // then it is killed with all that it started
};

// Runs it to its end, or until `cancelled` becomes true: it is killed then too. SIGPIPE has to be
// blocked or ignored. Any thread.
// timeout; platform_error when it cannot be started or ends with anything but 0.
Status run_command(const Command& command, const std::atomic<bool>& cancelled);

}  // namespace snakepit::shm
