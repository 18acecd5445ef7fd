// SPDX-License-Identifier: MIT
// Compares the registry with the operating system.
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

// The registry to check, and what is known of a manager that may be changing it.
struct RegistryQuestion {
    const InstancePaths& paths;
    std::string shm_path;
    bool manager_runs = false;
    // Arenas the manager has, those without a region among them; only while one runs.
    std::vector<std::string> arenas;
    bool arenas_complete = true;  // those are all
};

// The registry is readable, of this boot, and its manager's heartbeat is recent.
Check check_registry(const RegistryQuestion& question);
// Each region's description has the checksums it was written with.
Check check_region_checksums(const RegistryQuestion& question);
// Each region's segment exists: the one that was created, complete, owned by this user, and closed
// to others.
Check check_region_segments(const RegistryQuestion& question);
// Segments with the instance's name that are not in the registry.
Check check_stale_segments(const RegistryQuestion& question);

}  // namespace snakepit::shm
