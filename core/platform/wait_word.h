// SPDX-License-Identifier: MIT
// Sleeping on a word of shared memory.
#pragma once

#include <atomic>
#include <cstdint>

namespace snakepit::shm {

// Returns when `word` is not `seen`, after a wake-up, after `timeout_ms`, or spuriously: check
// again. Other processes may map the word at any address.
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t seen, int timeout_ms);

// Wakes all sleepers on the word, in all processes; change it first. Safe on memory that another
// process has truncated.
void wake_all(const std::atomic<std::uint32_t>& word);

}  // namespace snakepit::shm
