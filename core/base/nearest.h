// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace snakepit::shm {

// The one of `known` that `word` is most likely a slip of: letters missing, added, exchanged, or of
// the other case. Empty when none is close enough to be worth a guess.
std::string nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace snakepit::shm
