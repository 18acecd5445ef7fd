// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

class QWidget;

namespace snakepit::shm::ui {

enum class Handover { hand_over, stop, cancel };

// The window closes, the manager lives in it, and programs are connected: what shall become of
// them?
Handover ask_handover(QWidget* parent, const QString& programs);

}  // namespace snakepit::shm::ui
