// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>

#include "base/paths.h"
#include "manager/manager.h"
#include "ui/models/host.h"

namespace snakepit::shm::ui {

class LiveHost : public ManagerHost {
  public:
    // `service_program`: what hand_over() starts, as "<program> --instance NAME serve".
    LiveHost(InstancePaths paths, std::string service_program)
        : paths_(std::move(paths)), service_program_(std::move(service_program)) {}

    bool embedded() const override { return manager_ != nullptr; }
    Status embed() override;
    Status hand_over() override;

  private:
    InstancePaths paths_;
    std::string service_program_;
    std::unique_ptr<Manager> manager_;
};

}  // namespace snakepit::shm::ui
