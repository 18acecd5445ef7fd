// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace snakepit::shm::relay {

// The words of a command as a shell would split them: at spaces, with '…', "…" and \. Nothing else
// means anything: no variable, pattern or operator. invalid_argument for a quote without its end,
// and for no word at all.
Result<std::vector<std::string>> split_command(std::string_view text);

}  // namespace snakepit::shm::relay
