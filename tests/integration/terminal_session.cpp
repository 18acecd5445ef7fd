// SPDX-License-Identifier: MIT
#include "terminal_session.h"

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <QElapsedTimer>

#include <csignal>
#include <vector>

#include "service_fixture.h"

namespace snakepit::shm::test {

namespace {

constexpr int kLookMs = 50;

std::vector<char*> pointers(QList<QByteArray>& words) {
    std::vector<char*> out;
    for (auto& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

}  // namespace

TerminalSession::TerminalSession(const QString& program, const QStringList& words,
                                 QProcessEnvironment environment, const QString& terminal,
                                 int columns, int lines)
    : screen_(columns, lines) {
    environment.insert("TERM", terminal);
    if (!environment.contains("LC_ALL")) environment.insert("LC_ALL", "C.UTF-8");
    for (const auto* name : {"LINES", "COLUMNS"}) environment.remove(name);
    QList<QByteArray> arguments{program.toLocal8Bit()}, settings;
    for (const auto& word : words) arguments += word.toLocal8Bit();
    for (const auto& setting : environment.toStringList()) settings += setting.toLocal8Bit();
    auto argv = pointers(arguments), envp = pointers(settings);

    const winsize window{static_cast<unsigned short>(lines), static_cast<unsigned short>(columns),
                         0, 0};
    int near = -1, far = -1;
    if (::openpty(&near, &far, nullptr, nullptr, &window) != 0) qFatal("no pseudo terminal");
    near_.reset(near);
    far_.reset(far);
    ::tcgetattr(far, &before_);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::close(near);
        ::login_tty(far);
        ::execve(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
}

TerminalSession::~TerminalSession() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void TerminalSession::type(const QByteArray& keys) {
    [[maybe_unused]] const auto written =
        ::write(near_.get(), keys.constData(), static_cast<std::size_t>(keys.size()));
}

void TerminalSession::resize(int columns, int lines) {
    screen_.resize(columns, lines);
    const winsize window{static_cast<unsigned short>(lines), static_cast<unsigned short>(columns),
                         0, 0};
    ::ioctl(near_.get(), TIOCSWINSZ, &window);
}

void TerminalSession::signal(int number) {
    ::kill(pid_, number);
}

void TerminalSession::hang_up() {
    far_.reset();
    near_.reset();
}

bool TerminalSession::read_some(int patience_ms) {
    pollfd looked{near_.get(), POLLIN, 0};
    if (near_.get() < 0 || ::poll(&looked, 1, patience_ms) <= 0) return false;
    QByteArray some(16384, '\0');
    const auto got = ::read(near_.get(), some.data(), static_cast<std::size_t>(some.size()));
    if (got <= 0) return false;
    some.truncate(got);
    output_ += some;
    screen_.feed(some);
    return true;
}

bool TerminalSession::sees(const std::function<bool(const TerminalEmulator&)>& so) {
    QElapsedTimer timer;
    timer.start();
    while (!so(screen_)) {
        if (timer.hasExpired(kPatienceMs)) return false;
        siginfo_t end{};
        ::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT);
        const bool ended = end.si_pid == pid_;
        if (!read_some(kLookMs) && ended) return so(screen_);
    }
    return true;
}

bool TerminalSession::sees(const QString& text) {
    return sees([&](const TerminalEmulator& screen) { return screen.text().contains(text); });
}
bool TerminalSession::sees_no(const QString& text) {
    return sees([&](const TerminalEmulator& screen) { return !screen.text().contains(text); });
}

int TerminalSession::wait() {
    QElapsedTimer timer;
    timer.start();
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
        if (timer.hasExpired(kPatienceMs)) return -SIGALRM;
        if (near_.get() >= 0)
            read_some(kLookMs);
        else
            ::poll(nullptr, 0, kLookMs);
    }
    pid_ = -1;
    while (read_some(0)) {
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool TerminalSession::restored() const {
    termios now{};
    ::tcgetattr(far_.get(), &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           now.c_oflag == before_.c_oflag && screen_.cursor_visible() && !screen_.other_screen();
}

}  // namespace snakepit::shm::test
