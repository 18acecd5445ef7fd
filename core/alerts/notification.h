// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "alerts/alert.h"

namespace snakepit::shm {

// Alerts of one rule that fired, or were resolved, within a few seconds.
struct Notification {
    std::string instance;
    std::vector<Alert> alerts;  // at least one, all of one rule and state

    const Alert& first() const { return alerts.front(); }
    bool firing() const { return first().state == Alert::State::firing; }
};

// "Memory limit nearly reached", "A user was refused: alice, bob and 3 more".
std::string headline(const Notification& notification);
// {"instance":…,"status":"firing","rule":…,"alerts":[…]}
std::string to_json(const Notification& notification);
// As Alertmanager posts it to webhooks, version 4.
std::string webhook_body(const Notification& notification);

}  // namespace snakepit::shm
