// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

std::shared_ptr<const Timings> timings_of(const RegistryReader& reader);

// How long operations took, lately and since the registry was made: a few copies of its histograms,
// and what they differ by. GUI thread.
class TimingHistory {
  public:
    // `at`: monotonic milliseconds, never less than before.
    void add(std::shared_ptr<const Timings> timings, std::int64_t at);
    void clear();  // another registry counts from nothing

    bool known() const { return newest_ != nullptr; }
    layout::Histogram since_start(layout::Timed what) const {
        return newest_ ? (*newest_)[static_cast<std::size_t>(what)] : layout::Histogram{};
    }
    // Of the last minute, or as long as we have watched.
    layout::Histogram last_minute(layout::Timed what) const;

  private:
    struct Copy {
        std::int64_t at = 0;
        std::shared_ptr<const Timings> timings;
    };
    std::deque<Copy> copies_;  // oldest first; all but the first are of the last minute
    std::shared_ptr<const Timings> newest_;
};

}  // namespace snakepit::shm::ui
