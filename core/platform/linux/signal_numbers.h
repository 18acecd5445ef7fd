// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <optional>

#include "platform/signal_source.h"

namespace snakepit::shm {

inline int number_of(ProcessSignal signal) {
    switch (signal) {
        case ProcessSignal::hang_up:
            return SIGHUP;
        case ProcessSignal::interrupt:
            return SIGINT;
        case ProcessSignal::quit:
            return SIGQUIT;
        case ProcessSignal::terminate:
            break;
    }
    return SIGTERM;
}

inline std::optional<ProcessSignal> signal_of(int number) {
    for (const auto signal : {ProcessSignal::hang_up, ProcessSignal::interrupt, ProcessSignal::quit,
                              ProcessSignal::terminate})
        if (number_of(signal) == number) return signal;
    return std::nullopt;
}

}  // namespace snakepit::shm
