// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "command.h"
#include "survey/host_survey.h"

namespace snakepit::shm::cli {

struct HostCleanOptions {
    std::vector<std::string> names;
    bool dry_run = false, yes = false, force = false;
    const SurveyOptions* survey = nullptr;  // of `host`, whose place holds for `clean` as well
};

// `host clean`: shows what would be removed, asks on a terminal unless --yes was given, and removes
// it.
Result<int> run_host_clean(const Context& context, const HostCleanOptions& options);

}  // namespace snakepit::shm::cli
