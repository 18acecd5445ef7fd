// SPDX-License-Identifier: MIT
// The words that choose events.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/paths.h"
#include "base/result.h"
#include "base/time.h"
#include "events/event_reader.h"

namespace snakepit::shm::cli {

// A moment, or how long ago; nothing for an empty word.
Result<std::optional<Timestamp>> moment(const std::string& word);
// The names of all kinds.
std::vector<std::string> event_kinds();
// Puts the region and the kind into the query; an empty word chooses nothing.
Status choose_events(EventQuery& query, const InstancePaths& paths, const std::string& region,
                     const std::string& kind);

}  // namespace snakepit::shm::cli
