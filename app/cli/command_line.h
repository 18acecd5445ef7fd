// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "command_tree.h"

namespace snakepit::shm::cli {

struct Parsed {
    const Command* command = nullptr;  // the innermost that was named
    bool help = false;                 // asked for with -h
};

// Reads the words of a command line, without the program's name, into the options of the commands
// they name. invalid_argument for anything that does not belong there.
Result<Parsed> parse_command_line(const Command& root, const std::vector<std::string>& words);

// Where `words` name a command that takes raw words: removes those from `words`, and leaves one in
// their place for the parser.
std::vector<std::string> take_raw_words(const Command& root, std::vector<std::string>& words);

}  // namespace snakepit::shm::cli
