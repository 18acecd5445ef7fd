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

// Up to three attempts at staying below `limit` milliseconds (0: any time will do): what else runs
// on the machine's cores and caches makes processor time longer, never shorter.
class Attempts {
  public:
    explicit Attempts(double limit) : limit_(limit) {}
    bool more() const { return count_ == 0 || (count_ < 3 && !met()); }
    void took(double millis) { best_ = count_++ == 0 ? millis : std::min(best_, millis); }
    bool met() const { return limit_ <= 0 || best_ < limit_; }

  private:
    double limit_, best_ = 0;
    int count_ = 0;
};

}  // namespace snakepit::shm::ui
