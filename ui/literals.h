// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

// u"text"_s is a QString that is made at compile time.
namespace snakepit::shm::ui {
using namespace Qt::StringLiterals;
}
