// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/region.h"

namespace snakepit::shm {

// The kind of a segment: a named file on a tmpfs, or memory without a name (memfd), which cannot be
// resized, and can be opened only through a received descriptor.
enum class Backing : std::uint8_t { posix, memfd };

// Chooses the kind of a dedicated segment. Security level maximum always uses memfd; durable
// regions use posix (a file in the state directory). Otherwise `automatic` uses memfd for regions
// that other users may open, because they could guess a name or truncate a writable file.
Backing backing_for(const RegionOptions& options, BackingChoice configured);

// For the immutable copy of a sealed region: only a memfd can be made read-only for all, including
// its creator.
Backing backing_of_sealed(bool durable);

}  // namespace snakepit::shm
