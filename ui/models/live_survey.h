// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// The host this program runs on, and what a manager recorded of it. Needs no manager.
class LiveSurvey : public HostPort {
  public:
    // `history`: its database; empty: there is none.
    explicit LiveSurvey(const std::string& history = {}) : path_(history), history_(history) {}

    Result<HostSurvey> survey() override {
        SurveyOptions options;
        options.payers = true;
        const auto known = history_.segments();
        if (known) options.memory = &*known;
        return survey_host(options);
    }
    Result<std::vector<HostSeries>> history(TotalsBy by, Timestamp from, Timestamp to,
                                            std::size_t max_points, std::size_t most) override {
        // A new manager writes it after its first minute.
        std::error_code ignored;
        if (std::filesystem::status(path_, ignored).type() == std::filesystem::file_type::not_found)
            return {};
        return history_.series(by, from, to, max_points, most);
    }
    Result<std::optional<HostRecord>> at(Timestamp time) override { return history_.at(time); }
    Result<std::vector<HostCleanItem>> rehearse(const std::vector<std::string>& names) override {
        return clean_host(names, {.dry_run = true});
    }
    Result<std::vector<HostCleanItem>> clean(const std::vector<HostSegment>& segments) override {
        return clean_segments(segments, {});
    }

  private:
    std::string path_;
    HistoryReader history_;
};

}  // namespace snakepit::shm::ui
