// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::relay {

// Of the environment of what it starts: the columns of the terminal where the user is.
inline constexpr auto kColumnsVariable = "SNAKEPIT_SHM_COLUMNS";

struct FarOptions {
    std::string program;  // the path of snakepit-shm, which it starts with the near end's words
    std::vector<std::string> environment;  // "NAME=value", added for what it starts
};

// Runs what the near end asks for, as the user who runs this process and with no more rights, until
// the near end closes the line or a signal asks it to end. What runs then is ended. One thread.
// Errors: those of FrameReader, and of reading and writing.
Status run_far_end(const FarOptions& options, Handle in, Handle out);
// The same over standard input and output. not_supported where they are a terminal.
Status run_far_end(const FarOptions& options);

}  // namespace snakepit::shm::relay
