// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "layout/registry_reader.h"

namespace snakepit::shm::ui {

// What a client holds and owns, as far as the registry names it (five holders a region).
struct ClientUse {
    std::uint64_t references = 0;
    std::uint64_t regions = 0;
    std::uint64_t bytes = 0;  // of the regions held
    std::uint64_t owned = 0;
};

struct ClientRow {
    ClientInfo info;
    ClientUse use;
};

// "connected", "hostile" or what stands for a client that has not come back.
std::string_view status_of(const ClientRow& row);

}  // namespace snakepit::shm::ui
