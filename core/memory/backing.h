// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/region.h"

namespace snakepit::shm {

// What a segment is: a file on a tmpfs that has a name, or memory without one (memfd), which the
// kernel lets nobody resize and nobody open who was not handed a descriptor.
enum class Backing : std::uint8_t { posix, memfd };

// The one place where it is decided what a region of its own segment lives in. memfd, whatever the
// configuration says, for security level maximum; posix (a file in the state directory) for what is
// durable. Else `automatic` gives memfd to regions that others than their user may open: between
// users a name can be tried, and a file that may be written can be cut short.
Backing backing_for(const RegionOptions& options, BackingChoice configured);

// Of the immutable copy that a region becomes when it is sealed: only memory without a name can be
// made so that nobody, not even its maker, can write to it.
Backing backing_of_sealed(bool durable);

}  // namespace snakepit::shm
