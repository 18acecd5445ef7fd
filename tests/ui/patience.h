// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace snakepit::shm::ui {

// Milliseconds for what happens at once on a machine that is not busy.
inline constexpr int kPatienceMs = 60'000;

}  // namespace snakepit::shm::ui
