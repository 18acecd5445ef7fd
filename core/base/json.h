// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace snakepit::shm {

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD, so that
// the result is always valid JSON. (Names come from other processes and may be truncated.)
void append_json_string(std::string& out, std::string_view text);

// The text with bytes that are not UTF-8 replaced in the same way.
std::string valid_utf8(std::string_view text);

}  // namespace snakepit::shm
