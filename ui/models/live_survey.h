// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// The host this program runs on. Needs no manager.
class LiveSurvey : public HostPort {
  public:
    Result<HostSurvey> survey() override {
        SurveyOptions options;
        options.payers = true;
        return survey_host(options);
    }
    Result<std::vector<HostCleanItem>> rehearse(const std::vector<std::string>& names) override {
        return clean_host(names, {.dry_run = true});
    }
    Result<std::vector<HostCleanItem>> clean(const std::vector<HostSegment>& segments) override {
        return clean_segments(segments, {});
    }
};

}  // namespace snakepit::shm::ui
