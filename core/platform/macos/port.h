// SPDX-License-Identifier: MIT
// A Handle is a descriptor, or the name of a Mach port as a number below -1.
#pragma once

#include <mach/mach.h>

#include <cstdint>

#include "base/handle.h"

namespace snakepit::shm::macos {

inline bool is_port(const Handle& handle) {
    return handle.get() < -1;
}
// MACH_PORT_NULL becomes an invalid handle.
inline Handle handle_of(mach_port_t port) {
    return Handle(static_cast<int>(-1 - static_cast<std::int64_t>(port)));
}
inline mach_port_t port_of(const Handle& handle) {
    return static_cast<mach_port_t>(-1 - static_cast<std::int64_t>(handle.get()));
}

// Maps a memory entry or a descriptor; an error number of Mach.
int map(const Handle& segment, std::uint64_t offset, std::uint64_t size, bool writable,
        std::byte*& data);

}  // namespace snakepit::shm::macos
