// SPDX-License-Identifier: MIT
// What is made from the tree of commands for people.
#pragma once

#include <cstddef>
#include <string>

#include "command_tree.h"

namespace snakepit::shm::cli {

// "snakepit-shm info [OPTIONS] ID".
std::string usage_of(const Command& command);
// "-o, --output FILE", "ID...".
std::string option_title(const Option& option);
// The help of an option with the values it takes.
std::string option_text(const Option& option);

// What stands below the options, its lines wrapped at `width` columns; empty where there is
// nothing.
std::string footer_of(const Command& command, std::size_t width);

// Usage, arguments, options and commands, wrapped at the terminal's width.
void print_help(const Command& command);
std::string help_text(const Command& command);
// snakepit-shm(1), in roff.
std::string man_page(const Command& app);

}  // namespace snakepit::shm::cli
