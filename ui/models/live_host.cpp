// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_host.h"

#include <QProcess>

#include "ui/models/format.h"

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
    const QStringList words{QStringLiteral("--instance"), to_qstring(paths_.instance),
                            QStringLiteral("serve")};
    if (QProcess::startDetached(to_qstring(service_program_), words)) return {};
    const auto again = embed();
    return fail(ErrorCode::platform_error, service_program_ + " could not be started",
                again ? "the manager stays in this window; install snakepit-shm beside the monitor"
                      : again.error().sentence());
}

}  // namespace snakepit::shm::ui
