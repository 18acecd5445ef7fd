// SPDX-License-Identifier: MIT
// The code points of UTF-8 text, and which of them mislead people who read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace snakepit::shm {

struct CodePoint {
    char32_t code = 0;
    std::size_t bytes = 0;  // 0: not UTF-8
};
// The first one of a text that is not empty.
CodePoint decode_utf8(std::string_view utf8);
void append_utf8(std::string& out, char32_t code);

// Control characters, and marks that change how the text around them reads: the names of processes
// and files are chosen by anyone.
bool is_harmful(char32_t code);

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

}  // namespace snakepit::shm
