// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace snakepit::shm {

// The owner of a lock within a client: a thread, or a number that the program chose. Linux has no
// thread ids of kFirstOwner or more.
inline constexpr std::uint32_t kFirstOwner = 1U << 22;

inline constexpr bool is_thread(std::uint32_t owner) {
    return owner < kFirstOwner;
}

// For people: "thread 4711" or "owner 4194311".
inline std::string owner_name(std::uint32_t owner) {
    return (is_thread(owner) ? "thread " : "owner ") + std::to_string(owner);
}

}  // namespace snakepit::shm
