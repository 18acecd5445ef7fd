// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "diagnostics/registry_file.h"

namespace snakepit::shm {

// Takes a piece of the copy: its place in the file, and its bytes.
using RegistrySink = std::function<Status(std::uint64_t offset, const std::string& bytes)>;

struct RegistryCopied {
    std::uint32_t regions = 0;
    std::uint32_t with_metadata = 0;  // of those: with metadata, included or not
};

// The parts of a registry that readers use, in pieces: each slot as of one moment, nothing of freed
// regions, no ring of events, and metadata only on request. With zeros in between it is a registry
// that RegistryReader opens.
Result<RegistryCopied> copy_registry(const RegistryFile& file, bool metadata,
                                     const RegistrySink& sink);

}  // namespace snakepit::shm
