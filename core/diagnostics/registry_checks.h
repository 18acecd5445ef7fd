// SPDX-License-Identifier: MIT
// What the registry says against what the operating system has.
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "diagnostics/check.h"

namespace snakepit::shm {

// What is looked at, and what is known of the manager that may be changing it meanwhile.
struct RegistryQuestion {
    const InstancePaths& paths;
    std::string shm_path;
    bool manager_runs = false;
    // Arenas the manager has, those without a region among them; only while one runs.
    std::vector<std::string> arenas;
    bool arenas_complete = true;  // those are all
};

// Readable, of this boot, and its manager's heart beats.
Check check_registry(const RegistryQuestion& question);
// Each region's description has the checksums it was written with.
Check check_region_checksums(const RegistryQuestion& question);
// Each region's segment is there: the one it was made with, ours, nobody else's to open, whole.
Check check_region_segments(const RegistryQuestion& question);
// Segments that bear the instance's name and that the registry does not know.
Check check_stale_segments(const RegistryQuestion& question);

}  // namespace snakepit::shm
