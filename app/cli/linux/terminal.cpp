// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace snakepit::shm::cli {

bool interactive() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

std::size_t terminal_columns() {
    constexpr std::size_t kUsual = 80;  // of a terminal that has no size
    if (::isatty(STDOUT_FILENO) != 1) return 0;
    if (const char* wanted = std::getenv("COLUMNS")) {
        std::size_t columns = 0;
        const auto* end = wanted + std::strlen(wanted);
        const auto read = std::from_chars(wanted, end, columns);
        if (read.ec == std::errc{} && read.ptr == end && columns > 0) return columns;
    }
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace snakepit::shm::cli
