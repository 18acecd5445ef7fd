// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.h"

namespace snakepit::shm::cli {

// A command line as it is sent to another machine: files that the user named are here.
struct FarWords {
    std::vector<std::string> words;
    std::optional<std::string> input;   // what it reads: a file here, or - for standard input
    std::optional<std::string> output;  // the file here that its standard output goes to
    unsigned output_mode = 0666;        // of a new one
};

// `words` were read without an error. Without --via. invalid_argument for what cannot be done from
// another machine.
Result<FarWords> far_words(const Context& context, const Command& root,
                           const std::vector<std::string>& words);

}  // namespace snakepit::shm::cli
