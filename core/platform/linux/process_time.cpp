// SPDX-License-Identifier: MIT
#include "platform/process_time.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace snakepit::shm {

namespace {

// The wall clock time of the boot. Each reading of two clocks differs slightly, so a new value is
// used only if the clock was set meanwhile.
std::int64_t boot_moment() {
    static std::atomic<std::int64_t> known{0};
    const auto fresh = now().micros - boot_micros();
    auto before = known.load(std::memory_order_relaxed);
    while (before == 0 || std::llabs(fresh - before) > kMicrosPerSecond)
        if (known.compare_exchange_weak(before, fresh, std::memory_order_relaxed)) return fresh;
    return before;
}

}  // namespace

Timestamp moment_of_start(std::int64_t start_time) {
    static const std::int64_t rate = ::sysconf(_SC_CLK_TCK);
    if (start_time <= 0) return {};
    return {boot_moment() + start_time / rate * kMicrosPerSecond +
            start_time % rate * kMicrosPerSecond / rate};
}

}  // namespace snakepit::shm
