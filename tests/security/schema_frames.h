// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"

// Well-formed frames with senseless contents, made from the schema itself: a request that is added
// to it is attacked from then on.
class SchemaFrames {
  public:
    // Fields that name a region get one of `regions`, now and then.
    SchemaFrames(unsigned seed, std::vector<snakepit::shm::RegionId> regions);

    // The requests there are, by name.
    const std::vector<std::string>& calls() const { return calls_; }
    // One such request with every field at random: what nobody would send, and what one would lie.
    std::vector<std::byte> frame(std::size_t call);
    // The same, with some bytes changed or cut off.
    std::vector<std::byte> mutated(std::size_t call);

  private:
    friend class Writer;
    std::mt19937_64 random_;
    std::vector<snakepit::shm::RegionId> regions_;
    std::vector<std::byte> schema_;
    std::vector<std::string> calls_;
};
