// SPDX-License-Identifier: MIT
// Removes secrets from a document before it leaves the machine, by the names of fields and the form
// of values: rather too much than too little.
#pragma once

#include <string>

#include <QJsonObject>

#include "base/result.h"
#include "base/secrets.h"

namespace snakepit::shm {

// Removes passwords, tokens, keys and the like, but not the keys of System V segments; keeps the
// first word of commands and the host of URLs. `metadata`: also removes that of regions.
QJsonObject redacted(const QJsonObject& document, bool metadata);

// The same for a configuration file. configuration_invalid if it is not valid TOML.
Result<std::string> redacted_toml(const std::string& text);

}  // namespace snakepit::shm
