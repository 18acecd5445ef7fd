// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

// Reads exactly `out`. False: the file does not exist. security_violation if it is a link, belongs
// to a user other than us or root, can be read or written by others, or has another size.
Result<bool> read_secret_file(const std::string& path, std::span<std::byte> out);

// Creates the file with mode 0600 and syncs it to disk; it appears complete or not at all. False: a
// file exists already and is kept.
Result<bool> create_secret_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace snakepit::shm
