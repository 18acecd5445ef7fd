// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "base/time.h"

namespace snakepit::shm::ui {

// The moment that is shown, from which ages count: now, or that of a bundle. Any thread.
Timestamp shown_now();
// Before the first window opens.
void show_moment(std::optional<Timestamp> moment);

}  // namespace snakepit::shm::ui
