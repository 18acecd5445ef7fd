// SPDX-License-Identifier: MIT
#pragma once

#include "base/region.h"
#include "base/result.h"
#include "config/config.h"

namespace snakepit::shm {

// Whether a new region may be as it is asked for, whatever room there is. Fills in what the
// configuration says. `can_encrypt`: the instance has a key.
Status complete_options(const Config& config, bool can_encrypt, RegionOptions& options);

}  // namespace snakepit::shm
