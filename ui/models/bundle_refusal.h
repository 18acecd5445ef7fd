// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/result.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

// Refuses what would change something, in a bundle's words.
class BundleRefusal {
  public:
    explicit BundleRefusal(const BundleLabel& label) : label_(label) {}
    tl::unexpected<Error> refuse() const;

  private:
    BundleLabel label_;
};

}  // namespace snakepit::shm::ui
