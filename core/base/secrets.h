// SPDX-License-Identifier: MIT
// Removes secrets from texts that are kept or leave the machine, by the names of fields and the
// form of values: rather too much than too little.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace snakepit::shm {

inline constexpr std::string_view kRedacted = "[redacted]";

// Whether a field with this name holds a secret: a password, a token, a key and the like.
bool is_secret_name(std::string_view name);

// Keeps the scheme and host of a URL; the user and the path may contain a token.
std::string redacted_url(std::string_view url);

// A command line of which no value is left: its program, the names of its options, and the script
// that an interpreter runs.
std::string redacted_command(const std::vector<std::string>& words);

}  // namespace snakepit::shm
