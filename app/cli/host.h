// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "command.h"
#include "survey/host_survey.h"

namespace snakepit::shm::cli {

struct CleanWords {
    std::vector<std::string> names;
    bool dry_run = false, yes = false, force = false;
};

void add_host(CLI::App& app, Context& context);

// `host clean`: shows what would go, asks on a terminal unless told not to, and removes it.
Result<int> run_host_clean(const Context& context, const CleanWords& words,
                           const SurveyOptions& options);

}  // namespace snakepit::shm::cli
