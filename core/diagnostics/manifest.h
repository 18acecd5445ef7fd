// SPDX-License-Identifier: MIT
#pragma once

#include <QJsonObject>

#include "base/paths.h"
#include "base/result.h"
#include "base/time.h"
#include "diagnostics/bundle.h"

namespace snakepit::shm {

// What a bundle says of itself: of what it is, when and where it was made, what is in it and what
// is not.
QJsonObject manifest_of(const InstancePaths& paths, const BundleSummary& summary, Timestamp at);

struct Manifest {
    std::string version;  // of the program that made it
    std::string instance;
    std::string host;  // its name
    Timestamp created_at;
    QJsonObject document;  // all of it
};
// corruption_detected when it is none, version_mismatch when it is of a later release.
Result<Manifest> read_manifest(const std::string& text);

}  // namespace snakepit::shm
