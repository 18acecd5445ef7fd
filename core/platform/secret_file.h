// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

// Reads exactly `out`. False: there is no such file. security_violation when it is a link, when it
// is neither ours nor root's, when others may read or write it, or when its size is another.
Result<bool> read_secret_file(const std::string& path, std::span<std::byte> out);

// Makes the file with mode 0600 and puts it on the disk; it is there whole or not at all. False:
// there is one already, which stays.
Result<bool> create_secret_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace snakepit::shm
