// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "platform/channel.h"
#include "platform/identity.h"

namespace snakepit::shm {

// Who asks. `client` is set when it has a lease page and so can hold references.
struct Caller {
    Credentials credentials;
    std::optional<std::uint32_t> client;
    std::uint64_t serial = 0;  // of that client: an index may be used again, a serial never
    std::string process;
    // What else the kernel says of it; null: nothing more is known.
    std::shared_ptr<const Identity> identity;
};

}  // namespace snakepit::shm
