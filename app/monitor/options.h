// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace snakepit::shm::ui {

enum class Mode { either, attach, embed };

struct Options {
    bool go_on = true;  // false: leave with `status`, everything has been said
    int status = 0;     // 0, or 2 for a usage error
    std::string instance;
    Mode mode = Mode::either;
    std::optional<Timestamp> at;  // a recorded moment; none: now
    std::string page;             // empty: the one of last time
    std::string theme;            // empty: the one of last time
    std::string screenshot;
    bool force = false;         // the screenshot may replace a file
    int width = 0, height = 0;  // 0: that of last time
    double after = 1.5;         // seconds before the screenshot is taken
    std::string select;         // a region's id, or "first"; empty: none
    bool reset_layout = false;
    std::string bundle;  // a diagnostic bundle to show; empty: an instance
};

Options parse_options(int argc, char** argv);

}  // namespace snakepit::shm::ui
