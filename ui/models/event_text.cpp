// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/event_text.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QStringList>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

QString spoken(std::string_view name) {
    auto text = to_qstring(name).replace(u'_', u' ');
    if (!text.isEmpty()) text[0] = text[0].toUpper();
    return text;
}

QString field_text(const QString& key, const QJsonValue& value) {
    if (value.isString()) return value.toString().replace(u'_', u' ');
    if (value.isBool()) return value.toBool() ? key : QStringLiteral("not ") + key;
    const auto number = static_cast<std::uint64_t>(std::max(0.0, value.toDouble()));
    if (key == u"bytes" || key == u"size") return size_text(number);
    return QStringLiteral("%1 %2").arg(count_text(number), QString(key).replace(u'_', u' '));
}

}  // namespace

QString event_title(EventKind kind) {
    return spoken(to_string(kind));
}

Tone event_tone(const EventRow& row) {
    switch (row.kind) {
        case EventKind::refused:
        case EventKind::more_refused:
        case EventKind::allocation_failed:
        case EventKind::config_refused:
        case EventKind::damaged:
        case EventKind::client_hostile:
        case EventKind::gap:
            return Tone::bad;
        case EventKind::client_gone:
        case EventKind::client_disconnected:
        case EventKind::owner_gone:
        case EventKind::quarantined:
        case EventKind::registry_reset:
        case EventKind::database_reopened:
        case EventKind::leftover_kept:
            return Tone::caution;
        case EventKind::allocated:
        case EventKind::client_connected:
        case EventKind::client_resumed:
        case EventKind::restored:
        case EventKind::manager_started:
            return Tone::good;
        case EventKind::freed:
        case EventKind::withdrawn:
        case EventKind::cleanup:
        case EventKind::leftover_removed:
            return Tone::info;
        default:
            return row.result.empty() || row.result == "ok" ? Tone::neutral : Tone::bad;
    }
}

QString event_detail(const EventRow& row) {
    const auto detail = QByteArray::fromStdString(row.detail);
    const auto object = QJsonDocument::fromJson(detail).object();
    QStringList parts;
    for (auto it = object.begin(); it != object.end(); ++it)
        if (auto text = field_text(it.key(), it.value()); !text.isEmpty()) parts << text;
    return parts.join(QStringLiteral("  ·  "));
}

QString event_result(const EventRow& row) {
    return row.result.empty() ? QStringLiteral("ok") : to_qstring(row.result).replace(u'_', u' ');
}

}  // namespace snakepit::shm::ui
