// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace snakepit::shm {

// The entry of `known` that `word` is most likely a typo of: letters missing, added, swapped, or in
// the other case. Empty if none is close enough.
std::string nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace snakepit::shm
