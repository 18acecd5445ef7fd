// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm::cli {

// Standard input and output are a terminal: questions can be asked.
bool interactive();
bool errors_on_terminal();
// Columns of the terminal that standard output is, or COLUMNS of the environment if that is a
// positive number; 0 where standard output is not a terminal. A relay says the columns of the
// terminal on the other machine by kColumnsVariable.
std::size_t terminal_columns();

}  // namespace snakepit::shm::cli
