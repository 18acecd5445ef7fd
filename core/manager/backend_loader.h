// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/backend.h"

namespace snakepit::shm {

// What was found in one plugin file; kept for people to see.
struct BackendCandidate {
    std::string file;
    std::string name;   // from its metadata; empty when it has none
    std::string error;  // why it was not used; empty when it was
};

struct LoadedBackend {
    std::unique_ptr<PlatformBackend> backend;
    std::vector<BackendCandidate> candidates;
};

// Looks through the plugin directories for the backend called `name` and makes it.
// plugin_load_failed lists every file that was looked at and what was wrong with it.
// `directory` empty: SNAKEPIT_SHM_PLUGIN_DIR, then beside this library or program, then where it
// was installed.
Result<LoadedBackend> load_backend(const std::string& name, const std::string& directory,
                                   const BackendOptions& options);

}  // namespace snakepit::shm
