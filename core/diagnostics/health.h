// SPDX-License-Identifier: MIT
// All checks of an instance, for the command line, a bundle and the monitor.
#pragma once

#include <string>
#include <vector>

#include <QJsonObject>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

struct Health {
    std::string instance;
    std::vector<Check> checks;  // in the order they were made

    bool healthy() const;                    // no problem; warnings may be
    std::vector<Check> by_severity() const;  // the worst first
    QJsonObject json() const;
};

// Looks from outside, and asks the manager if one runs. Changes nothing; may take some seconds.
Health check_health(const InstancePaths& paths);

}  // namespace snakepit::shm
