// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm::cli {

// The contents of a file, or of standard input for "-". Of more than `most` bytes
// it is `most` and one: there are files without an end. `what`: "the rule", for the remedy.
// invalid_argument when it cannot be read.
Result<std::string> read_document(const std::string& file, std::size_t most, std::string_view what);

}  // namespace snakepit::shm::cli
