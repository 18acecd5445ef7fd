// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace snakepit::shm {

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 (names come from
// other processes, and may have been cut short) become U+FFFD, so that the result is always JSON.
void append_json_string(std::string& out, std::string_view text);

// The text with the same done about bytes that are not UTF-8.
std::string valid_utf8(std::string_view text);

}  // namespace snakepit::shm
