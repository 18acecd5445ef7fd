// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "service_bench.h"

namespace snakepit::shm::test {

// A grant, mapped as the client that got it would.
class View {
  public:
    View(ServiceBench& bench, const Grant& grant) {
        auto handle = bench.state->allocator.open(grant.slot, AccessMode::read_write);
        if (!handle) qFatal("%s", handle.error().sentence().c_str());
        mapping_ =
            std::move(*Mapping::map(*handle, grant.segment_size, Mapping::Access::read_write));
        bytes_ = {mapping_.data() + grant.offset, grant.size};
    }
    void fill(int value) { std::memset(bytes_.data(), value, bytes_.size()); }
    bool all(int value) const {
        return std::all_of(bytes_.begin(), bytes_.end(),
                           [&](std::byte b) { return b == std::byte(value); });
    }

  private:
    Mapping mapping_;
    std::span<std::byte> bytes_;
};

}  // namespace snakepit::shm::test
