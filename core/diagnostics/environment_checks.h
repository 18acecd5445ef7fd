// SPDX-License-Identifier: MIT
// The environment of an instance: directories, space, configuration, limits, keys. The checks
// change nothing and need no manager.
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "config/config.h"
#include "diagnostics/check.h"
#include "diagnostics/host_facts.h"

namespace snakepit::shm {

Check check_directory(const std::string& name, const std::string& path);
Check check_runtime_in_memory(const InstancePaths& paths);
Check check_shared_memory_space(const Config& config, const std::string& shm_path);
Check check_state_space(const InstancePaths& paths);
// Limits that are consistent with each other and with the machine.
Check check_configured_limits(const Config& config, const std::string& shm_path);
// The instance's secret key exists, and other users cannot read it.
Check check_key(const InstancePaths& paths);
Check check_logout(const std::string& shm_path);
std::vector<Check> check_limits(const Config& config, const Limits& limits = process_limits());

}  // namespace snakepit::shm
