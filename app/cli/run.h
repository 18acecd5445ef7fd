// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "command.h"

namespace snakepit::shm::cli {

void add_run(CLI::App& app, Context& context);

// Where `words` (without the program's name) are those of `run`: takes off the command and its
// arguments, so that nobody reads them as our own. A placeholder stays.
std::vector<std::string> take_command(const CLI::App& app, std::vector<std::string>& words);

}  // namespace snakepit::shm::cli
