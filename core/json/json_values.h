// SPDX-License-Identifier: MIT
// Values of QJsonObject members, and objects as text.
#pragma once

#include <QJsonDocument>
#include <QJsonObject>
#include <QString>
#include <cstdint>
#include <string>
#include <string_view>

namespace snakepit::shm {

inline QString text(std::string_view utf8) {
    return QString::fromUtf8(utf8.data(), static_cast<qsizetype>(utf8.size()));
}

inline qint64 number(std::uint64_t value) {
    return static_cast<qint64>(value);
}

inline std::string compact(const QJsonObject& object) {
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

}  // namespace snakepit::shm
