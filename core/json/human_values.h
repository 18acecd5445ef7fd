// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <QJsonValue>
#include <QString>

namespace snakepit::shm {

// A member of a JSON document as people read it: sizes and times with their units, "unlimited",
// "never" or "off" where 0 means that. `group` is the name of the object it is in, with dots
// between; empty at the top.
std::string human_value(const QString& group, const QString& key, const QJsonValue& value);

// "5 min", "90 s", "1500 ms": exact, in the largest unit that gives a whole number.
std::string exact_duration(std::int64_t millis);

}  // namespace snakepit::shm
