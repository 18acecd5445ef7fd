// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "layout/event_kind.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// Replaces `out` by a JSON object with the count, value and text of `entry`, named by its kind.
void write_detail(std::string& out, const layout::EventEntry& entry);

// The name of `count` in the detail of this kind; empty: none.
std::string_view count_name(EventKind kind);

// An event of the recorder's own.
layout::EventEntry own_event(EventKind kind);

}  // namespace snakepit::shm
