// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_host.h"

#include "platform/process.h"

namespace snakepit::shm::ui {

Status LiveHost::embed() {
    ManagerOptions options;
    options.paths = paths_;
    SHM_ASSIGN(options.config, Config::load(paths_.config_file));
    SHM_ASSIGN(manager_, Manager::start(std::move(options)));
    return {};
}

Status LiveHost::hand_over() {
    manager_.reset();
    if (start_detached(service_program_, {"--instance", paths_.instance, "serve"}, Handle()))
        return {};
    const auto again = embed();
    return fail(
        ErrorCode::platform_error, service_program_ + " could not be started",
        again ? "the manager keeps running in this window; install snakepit-shm beside the monitor"
              : again.error().sentence());
}

}  // namespace snakepit::shm::ui
