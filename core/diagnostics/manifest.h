// SPDX-License-Identifier: MIT
#pragma once

#include <QJsonObject>

#include "base/paths.h"
#include "base/result.h"
#include "base/time.h"
#include "diagnostics/bundle.h"

namespace snakepit::shm {

// A bundle's description of itself: instance, time, host, its parts, and what was left out.
QJsonObject manifest_of(const InstancePaths& paths, const BundleSummary& summary, Timestamp at);

struct Manifest {
    std::string version;  // of the program that made it
    std::string instance;
    std::string host;  // its name
    Timestamp created_at;
    QJsonObject document;  // all of it
};
// corruption_detected if it is not a manifest, version_mismatch if it is of a later release.
Result<Manifest> read_manifest(const std::string& text);

}  // namespace snakepit::shm
