// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "alerts/alert.h"

namespace snakepit::shm {

// [shared_memory.alerts] of the configuration: who is told, by whom only administrators decide.
struct AlertOptions {
    bool enabled = true;                               // rules are looked at
    bool journal = true;                               // the system's, where there is one
    std::vector<std::string> command;                  // program and arguments; empty: none
    std::string webhook;                               // http:// or https://; empty: none
    AlertSeverity min_severity = AlertSeverity::info;  // below it nobody is told
    friend bool operator==(const AlertOptions&, const AlertOptions&) = default;
};

}  // namespace snakepit::shm
