// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

struct RuleChange {
    // Another user has changed the rule since it was shown: nothing was done.
    std::optional<AlertRule> changed;
    Status done;
};
// Sets the rule only if it still is what was shown. Worker threads.
RuleChange change_rule(MonitoringPort& port, const AlertRule& shown, const AlertRule& wanted);

}  // namespace snakepit::shm::ui
