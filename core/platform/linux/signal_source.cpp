// SPDX-License-Identifier: MIT
#include "platform/signal_source.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "platform/linux/signal_numbers.h"

namespace snakepit::shm {

SignalSource::SignalSource(std::initializer_list<ProcessSignal> signals) {
    sigset_t taken;
    ::sigemptyset(&taken);
    for (const auto signal : signals) ::sigaddset(&taken, number_of(signal));
    ::pthread_sigmask(SIG_BLOCK, &taken, &before_);
    handle_ = Handle(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
}

SignalSource::~SignalSource() {
    while (next()) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<ProcessSignal> SignalSource::next() const {
    signalfd_siginfo info{};
    if (::read(handle_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return signal_of(static_cast<int>(info.ssi_signo));
}

}  // namespace snakepit::shm
