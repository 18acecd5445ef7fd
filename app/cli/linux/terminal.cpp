// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace snakepit::shm::cli {

bool interactive() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

std::size_t terminal_columns() {
    constexpr std::size_t kUsual = 80;  // of a terminal that has no size
    if (::isatty(STDOUT_FILENO) != 1) return 0;
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace snakepit::shm::cli
