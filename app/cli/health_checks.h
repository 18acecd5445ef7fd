// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "manager/config.h"

namespace snakepit::shm::cli {

enum class Verdict : std::uint8_t { ok, warning, problem };

struct Check {
    std::string name;
    Verdict verdict = Verdict::ok;
    std::string message;
    std::string remedy;  // empty when there is nothing to do
};

// Each looks and changes nothing; none needs a manager.
Check check_directory(const std::string& name, const std::string& path);
Check check_runtime_in_memory(const InstancePaths& paths);
Check check_shared_memory_space(const Config& config);
Check check_registry(const InstancePaths& paths, bool manager_runs);
Check check_database(const InstancePaths& paths);
Check check_leftovers(const InstancePaths& paths, const Config& config);
Check check_logout(const Config& config);
std::vector<Check> check_limits(const Config& config);

}  // namespace snakepit::shm::cli
