// SPDX-License-Identifier: GPL-3.0-or-later
// Command lines that people are given: of the instance that is shown.
#pragma once

#include <QString>

namespace snakepit::shm::ui {

// Before the first window opens; "default" needs no option.
void set_command_instance(const QString& instance);
// "snakepit-shm --instance NAME …"
QString command_line(const QString& words);
// A sentence of the manager's: commands that it quotes get the instance, too.
QString with_instance(QString sentence);

}  // namespace snakepit::shm::ui
