// SPDX-License-Identifier: MIT
#include "platform/wait_word.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace snakepit::shm {

// Not the private kind of futex: the other side is another process.

void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t seen, int timeout_ms) {
    const timespec longest{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
    ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, &longest, nullptr, 0);
}

void wake_all(const std::atomic<std::uint32_t>& word) {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace snakepit::shm
