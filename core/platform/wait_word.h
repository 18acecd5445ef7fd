// SPDX-License-Identifier: MIT
// Sleeping on a word of memory that processes share.
#pragma once

#include <atomic>
#include <cstdint>

namespace snakepit::shm {

// Returns when `word` is not `seen`, when somebody wakes its sleepers, after `timeout_ms`, or now
// and then for no reason: look again. The word may be mapped by other processes, at any address.
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t seen, int timeout_ms);

// Wakes everybody who sleeps on the word, in whatever process; change it first. Harmless on memory
// that another process has cut short.
void wake_all(const std::atomic<std::uint32_t>& word);

}  // namespace snakepit::shm
