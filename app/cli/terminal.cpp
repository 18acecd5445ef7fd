// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "output.h"

namespace snakepit::shm::cli {

namespace {

volatile std::sig_atomic_t end_asked = 0;

void ask_end(int) {
    end_asked = 1;
}
void wake_only(int) {}

// Without SA_RESTART, so that poll() returns.
void handle(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(signal, &action, nullptr);
}

}  // namespace

bool Terminal::available() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

Result<Terminal> Terminal::open() {
    Terminal terminal;
    if (::tcgetattr(STDIN_FILENO, &terminal.before_) != 0)
        return fail(system_error(errno, "cannot take over the terminal"));
    auto raw = terminal.before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
        return fail(system_error(errno, "cannot take over the terminal"));
    terminal.owned_ = true;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) handle(signal, ask_end);
    handle(SIGWINCH, wake_only);
    print("\033[?1049h\033[?25l");
    return terminal;
}

Terminal::Terminal(Terminal&& other) noexcept
    : before_(other.before_), owned_(std::exchange(other.owned_, false)) {}

Terminal::~Terminal() {
    if (!owned_) return;
    print("\033[?25h\033[?1049l");
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

TerminalSize Terminal::size() const {
    winsize window{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 ||
        window.ws_row == 0)
        return {};
    return {window.ws_col, window.ws_row};
}

void Terminal::draw(std::string_view frame) const {
    std::string out = "\033[H";
    for (std::size_t line = 0; line < size().lines && !frame.empty(); ++line) {
        const auto end = frame.find('\n');
        if (line > 0) out += "\r\n";
        out.append(frame.substr(0, end)).append("\033[K");
        frame.remove_prefix(end == std::string_view::npos ? frame.size() : end + 1);
    }
    print(out + "\033[J");
}

int Terminal::key(int timeout_ms) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, 1, timeout_ms);
    if (end_asked != 0) return kEnd;
    if (ready <= 0) return kNothing;
    char key = 0;
    return ::read(STDIN_FILENO, &key, 1) == 1 ? static_cast<unsigned char>(key) : kEnd;
}

}  // namespace snakepit::shm::cli
