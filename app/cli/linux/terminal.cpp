// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "relay/far_end.h"

namespace snakepit::shm::cli {

namespace {

// 0: not set, or not a positive number.
std::size_t columns_from(const char* variable) {
    const char* wanted = std::getenv(variable);
    if (!wanted) return 0;
    std::size_t columns = 0;
    const auto* end = wanted + std::strlen(wanted);
    const auto read = std::from_chars(wanted, end, columns);
    return read.ec == std::errc{} && read.ptr == end ? columns : 0;
}

}  // namespace

bool interactive() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

bool errors_on_terminal() {
    return ::isatty(STDERR_FILENO) == 1;
}

std::size_t terminal_columns() {
    constexpr std::size_t kUsual = 80;  // of a terminal that has no size
    if (::isatty(STDOUT_FILENO) != 1) return columns_from(relay::kColumnsVariable);
    if (const auto wanted = columns_from("COLUMNS"); wanted > 0) return wanted;
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace snakepit::shm::cli
