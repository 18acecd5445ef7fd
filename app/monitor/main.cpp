// SPDX-License-Identifier: GPL-3.0-or-later
#include "options.h"
#include "run.h"

int main(int argc, char** argv) {
    const auto options = snakepit::shm::ui::parse_options(argc, argv);
    if (!options.go_on) return options.status;
    return snakepit::shm::ui::run(options, argc, argv);
}
