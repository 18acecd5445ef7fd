// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "ui/models/configuration.h"
#include "ui/models/live_sources.h"

namespace snakepit::shm::ui {

// The file of one instance, and what its manager makes of it. The file is written with the rights
// of this program's user.
class LiveConfiguration : public ConfigurationPort {
  public:
    LiveConfiguration(std::shared_ptr<LiveManager> manager, std::string instance)
        : manager_(std::move(manager)), instance_(std::move(instance)) {}
    Result<Configuration> read() override;
    Result<SettingChange> set(const std::string& key, const std::string& literal) override;

  private:
    std::shared_ptr<LiveManager> manager_;
    std::string instance_;
};

}  // namespace snakepit::shm::ui
