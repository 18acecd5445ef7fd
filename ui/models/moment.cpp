// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/moment.h"

#include <atomic>

namespace snakepit::shm::ui {

namespace {

std::atomic<std::int64_t> fixed{0};  // microseconds; 0: time goes on

}  // namespace

Timestamp shown_now() {
    const auto micros = fixed.load(std::memory_order_relaxed);
    return micros != 0 ? Timestamp{micros} : now();
}

void show_moment(std::optional<Timestamp> moment) {
    fixed.store(moment ? moment->micros : 0, std::memory_order_relaxed);
}

}  // namespace snakepit::shm::ui
