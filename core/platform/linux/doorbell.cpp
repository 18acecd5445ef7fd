// SPDX-License-Identifier: MIT
#include "platform/doorbell.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <cerrno>

#include "base/error.h"

namespace snakepit::shm {

// Not an eventfd: the other side could make writing to that block.
Result<Doorbell> Doorbell::make() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return fail(system_error(errno, "cannot create a line for events"));
    return Doorbell{Handle(ends[0]), Handle(ends[1])};
}

bool ring(const Handle& line) {
    const char byte = 1;
    while (::send(line.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN || errno == ENOBUFS;  // there is a ring that was not taken
    }
    return true;
}

bool take_rings(const Handle& line) {
    char bytes[64];
    for (;;) {
        const auto got = ::recv(line.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0 || (got < 0 && errno == EINTR)) continue;
        return got < 0 && errno == EAGAIN;
    }
}

Status EventSet::open() {
    set_ = Handle(::epoll_create1(EPOLL_CLOEXEC));
    timer_ = Handle(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const bool both = set_ && timer_;
    auto done = both ? add(timer_) : fail(system_error(errno, "cannot create an event descriptor"));
    if (!done) close();
    return done;
}

Status EventSet::add(const Handle& line) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, line.get(), &event) != 0)
        return fail(system_error(errno, "cannot wait for events"));
    return {};
}

void EventSet::wake_in(int millis) {
    itimerspec when{};
    if (millis >= 0) {
        when.it_value.tv_sec = millis / 1000;
        when.it_value.tv_nsec = millis % 1000 * 1'000'000L;
        if (millis == 0) when.it_value.tv_nsec = 1;  // 0 would mean never
    }
    ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

}  // namespace snakepit::shm
