// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Writes all of it and waits until it is on the disk. `path` is for the error.
Status write_through(const Handle& file, const std::string& path, std::span<const std::byte> bytes);

// Puts `text` in the place of the file, or makes it: a reader sees the old text or the new one and
// never half of either, and after a power cut that is still so. `mode` as for open(2).
Status replace_file(const std::string& path, std::string_view text, unsigned mode);

}  // namespace snakepit::shm
