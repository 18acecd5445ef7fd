// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "options.h"

namespace snakepit::shm::ui {

// Finds or starts the manager, opens the window and stays until it closes. The exit status.
int run(const Options& options, int argc, char** argv);

}  // namespace snakepit::shm::ui
