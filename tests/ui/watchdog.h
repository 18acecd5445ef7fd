// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTimer>
#include <algorithm>
#include <ctime>

namespace snakepit::shm::ui {

// The most a GUI thread worked between two chances to take a key press. Processor time, so that
// other programs on the machine do not count.
class Watchdog {
  public:
    Watchdog() {
        QObject::connect(&timer_, &QTimer::timeout, [this] {
            const auto at = used();
            worst_ = std::max(worst_, at - last_);
            last_ = at;
        });
        timer_.start(1);
    }
    double worst_millis() const { return static_cast<double>(worst_) / 1e6; }

  private:
    static std::int64_t used() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return time.tv_sec * 1000000000LL + time.tv_nsec;
    }

    QTimer timer_;
    std::int64_t last_ = used(), worst_ = 0;
};

}  // namespace snakepit::shm::ui
