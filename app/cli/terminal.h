// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm::cli {

// Standard input and output are a terminal: questions can be asked.
bool interactive();
// Columns of the terminal that standard output is, or COLUMNS of the environment if that is a
// positive number; 0 where standard output is not a terminal.
std::size_t terminal_columns();

}  // namespace snakepit::shm::cli
