// SPDX-License-Identifier: MIT
// Words that choose events.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "events/event_reader.h"

namespace snakepit::shm::cli {

// A moment, or how long ago; nothing for no word.
Result<std::optional<Timestamp>> moment(const std::string& word);
// Puts the region and the kind into the query; an empty word chooses nothing.
Status choose(EventQuery& query, const std::string& region, const std::string& kind);

}  // namespace snakepit::shm::cli
