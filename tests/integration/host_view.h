// SPDX-License-Identifier: MIT
// What `snakepit-shm host --json` says, looked through.
#pragma once

#include <QJsonArray>
#include <QJsonObject>

#include <functional>

namespace snakepit::shm::test {

// Those of which `wanted` is true.
inline QList<QJsonObject> segments_in(const QJsonObject& survey,
                                      const std::function<bool(const QJsonObject&)>& wanted) {
    QList<QJsonObject> out;
    for (const auto& value : survey.value("segments").toArray())
        if (wanted(value.toObject())) out.append(value.toObject());
    return out;
}

// Empty when there is none of that name.
inline QJsonObject segment_named(const QJsonObject& survey, const QString& name) {
    const auto found = segments_in(
        survey, [&](const QJsonObject& segment) { return segment["name"].toString() == name; });
    return found.isEmpty() ? QJsonObject() : found.front();
}

inline bool used_by(const QJsonObject& segment, qint64 pid) {
    for (const auto& user : segment["users"].toArray())
        if (user.toObject()["pid"].toInteger() == pid) return true;
    return false;
}

inline QString evidence_of(const QJsonObject& segment) {
    QStringList out;
    for (const auto& sentence : segment["evidence"].toArray()) out += sentence.toString();
    return out.join("; ");
}

}  // namespace snakepit::shm::test
