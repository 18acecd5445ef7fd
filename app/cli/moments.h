// SPDX-License-Identifier: MIT
// Words that choose events.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "layout/event_kind.h"

namespace snakepit::shm::cli {

// A moment, or how long ago; nothing for no word.
Result<std::optional<Timestamp>> moment(const std::string& word);
Result<EventKind> kind_of(const std::string& word);

}  // namespace snakepit::shm::cli
