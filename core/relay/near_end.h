// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::relay {

// Who runs the commands there, by what the far end says of itself: sanitize it before it is shown.
struct FarSide {
    std::string user, host, program;
};

// A command to be run by the far end.
struct NearRequest {
    std::vector<std::string> via;    // the command that leads there, such as ssh host
    std::vector<std::string> words;  // of snakepit-shm there
    Handle input;                    // what it reads; not valid: nothing
    std::size_t columns = 0;         // of the terminal that its output is shown on; 0: none
    bool color = false;
    // What it writes; an error ends it.
    std::function<Status(std::string_view)> output, error_output;
    // What the command that leads there writes itself: questions, warnings.
    std::function<void(std::string_view)> line_output;
};

struct NearResult {
    int status = 0;
    FarSide far;
};

// Why a line ended too early is told by this error.
bool is_lost_line(const Error& error);

// Runs it and waits for its end. Ctrl-C goes to the command there; the second one ends the line.
// The status is the far command's, or 130 where it never began because of Ctrl-C. Errors: that the
// line broke (is_lost_line()), what the relay there refused, and those of `output`.
Result<NearResult> run_near_end(NearRequest request);

}  // namespace snakepit::shm::relay
