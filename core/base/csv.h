// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace snakepit::shm {

// A cell of text, in quotes. What a spreadsheet would read as a formula gets an apostrophe in
// front: names come from other programs.
void append_csv_text(std::string& out, std::string_view text);

}  // namespace snakepit::shm
