// SPDX-License-Identifier: MIT
// What is taken out of a document before it leaves the machine. By the names of its fields and the
// shape of its values: rather too much than too little.
#pragma once

#include <string>
#include <string_view>

#include <QJsonObject>

#include "base/result.h"

namespace snakepit::shm {

inline constexpr std::string_view kRedacted = "[redacted]";

// Of a URL scheme and host stay; everything behind, and who is named before, may be a token.
std::string redacted_url(std::string_view url);

// Passwords, tokens, keys and the like go whole, but not the numbers of System V segments; of
// commands their first word stays; of URLs the host. `metadata`: that of regions goes too.
QJsonObject redacted(const QJsonObject& document, bool metadata);

// The same of a configuration file. configuration_invalid when it cannot be read as TOML.
Result<std::string> redacted_toml(const std::string& text);

}  // namespace snakepit::shm
