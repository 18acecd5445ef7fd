// SPDX-License-Identifier: MIT
#include "platform/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

StreamResult failure(int error) {
    if (error == EAGAIN || error == EINTR) return {};
    if (error == EPIPE || error == ECONNRESET) return {StreamState::ended, 0, error};
    return {StreamState::failed, 0, error};
}

}  // namespace

void set_nonblocking(const Handle& handle) {
    ::fcntl(handle.get(), F_SETFL, ::fcntl(handle.get(), F_GETFL) | O_NONBLOCK);
}

StreamResult read_now(const Handle& from, std::span<char> into) {
    const auto got = ::read(from.get(), into.data(), into.size());
    if (got < 0) return failure(errno);
    if (got == 0) return {StreamState::ended, 0, 0};
    return {StreamState::moved, static_cast<std::size_t>(got), 0};
}

StreamResult write_now(const Handle& to, std::string_view bytes) {
    const auto wrote = ::write(to.get(), bytes.data(), bytes.size());
    if (wrote < 0) return failure(errno);
    return {StreamState::moved, static_cast<std::size_t>(wrote), 0};
}

std::size_t HandlePoll::add_reader(const Handle& handle, bool wanted) {
    entries_.push_back({wanted ? handle.get() : -1, false, false});
    return entries_.size() - 1;
}

std::size_t HandlePoll::add_writer(const Handle& handle, bool wanted) {
    entries_.push_back({wanted ? handle.get() : -1, true, false});
    return entries_.size() - 1;
}

bool HandlePoll::wait(int timeout_ms) {
    std::vector<pollfd> polled;
    polled.reserve(entries_.size());
    for (const auto& entry : entries_)
        polled.push_back({entry.handle, static_cast<short>(entry.write ? POLLOUT : POLLIN), 0});
    const int count = ::poll(polled.data(), polled.size(), timeout_ms);
    for (std::size_t i = 0; i < polled.size(); ++i)
        entries_[i].ready = count > 0 && polled[i].revents != 0;
    return count != 0;
}

Result<Handle> open_input(const std::string& file) {
    Handle input(file == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!input) return fail(system_error(errno, fmt::format("cannot read {}", file)));
    return input;
}

bool is_on_terminal() {
    return ::isatty(STDIN_FILENO) == 1 || ::isatty(STDOUT_FILENO) == 1;
}

Result<StandardStreams> take_standard_streams() {
    StandardStreams out{Handle(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)),
                        Handle(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0))};
    if (!out.input || !out.output)
        return fail(system_error(errno, "cannot use standard input and output"));
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    return out;
}

}  // namespace snakepit::shm
