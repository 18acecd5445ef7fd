// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/region.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// What the region has and the request asks for otherwise, each with both values; empty: nothing.
// Options that leave the choice to the manager, and metadata that is not given, are not compared.
std::string difference(const RegionRegistry& registry, std::uint32_t slot, std::uint64_t size,
                       const RegionOptions& asked);

}  // namespace snakepit::shm
