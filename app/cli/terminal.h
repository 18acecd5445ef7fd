// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm::cli {

// Standard input and output are a terminal: questions can be asked.
bool interactive();
// Columns of the terminal that standard output is; 0 where it is none.
std::size_t terminal_columns();

}  // namespace snakepit::shm::cli
