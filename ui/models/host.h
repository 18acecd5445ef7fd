// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/result.h"

namespace snakepit::shm::ui {

// The manager this program runs itself, if it does. GUI thread; calls may take a second.
class ManagerHost {
  public:
    virtual ~ManagerHost() = default;
    virtual bool embedded() const = 0;
    // Starts one here; instance_in_use if another runs.
    virtual Status embed() = 0;
    // Stops ours and starts a service in the background in its place.
    virtual Status hand_over() = 0;
};

}  // namespace snakepit::shm::ui
