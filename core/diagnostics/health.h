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
    std::vector<Check> checks;  // in the order in which they ran

    bool healthy() const;                    // no problem; warnings may be
    std::vector<Check> by_severity() const;  // the worst first
    QJsonObject json() const;
};

// Checks from outside, and includes the manager's own findings if one runs. Changes nothing; may
// take some seconds.
Health check_health(const InstancePaths& paths);

}  // namespace snakepit::shm
