// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace snakepit::shm::ui {

// Below, at or above 0, for tables that sort by one of many columns.
template <typename T>
int order_of(const T& a, const T& b) {
    return a < b ? -1 : b < a ? 1 : 0;
}

}  // namespace snakepit::shm::ui
