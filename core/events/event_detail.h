// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "layout/event_kind.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// Replaces `out` by a JSON object of what `entry`'s count, value and text mean for its kind.
void write_detail(std::string& out, const layout::EventEntry& entry);

// What the detail calls `count` for this kind; empty: it has none.
std::string_view count_name(EventKind kind);

// An event of the recorder's own.
layout::EventEntry own_event(EventKind kind);

}  // namespace snakepit::shm
