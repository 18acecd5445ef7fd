// SPDX-License-Identifier: MIT
// What the head says: made of the manager's samples, one a second.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "layout/registry_layout.h"

namespace snakepit::shm::cli {

struct Rates {  // a second
    double allocations = 0, deallocations = 0, errors = 0, takes = 0;
};

// The latest minute.
class Figures {
  public:
    void forget() { samples_.clear(); }
    void take(const std::vector<layout::Sample>& samples);

    std::uint64_t last_seq() const { return samples_.empty() ? 0 : samples_.back().seq; }
    const layout::Sample* last() const { return samples_.empty() ? nullptr : &samples_.back(); }
    const std::vector<layout::Sample>& minute() const { return samples_; }
    // Of the last ten seconds of one manager; nothing before its second sample.
    std::optional<Rates> rates() const;

  private:
    std::vector<layout::Sample> samples_;  // oldest first
};

// How full the memory is that the host's segments live in.
enum class Fullness : std::uint8_t { fine, nearly, full };
Fullness fullness(const layout::Sample& sample);

}  // namespace snakepit::shm::cli
