// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <mutex>

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// The metrics database of an instance, or of a bundle. Needs no manager.
class RecordedMetrics : public HistoryPort {
  public:
    explicit RecordedMetrics(const std::string& path) : reader_(path) {}
    Result<std::vector<std::vector<MetricPoint>>> series(const std::vector<std::string>& metrics,
                                                         Timestamp from, Timestamp to,
                                                         std::size_t max_points) override {
        const std::lock_guard lock(mutex_);
        std::vector<std::vector<MetricPoint>> out;
        for (const auto& metric : metrics) {
            SHM_ASSIGN(auto points, reader_.series(metric, from, to, max_points));
            out.push_back(std::move(points));
        }
        return out;
    }

  private:
    std::mutex mutex_;
    MetricsReader reader_;
};

}  // namespace snakepit::shm::ui
