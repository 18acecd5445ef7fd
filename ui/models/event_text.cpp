// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/event_text.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QObject>
#include <QStringList>
#include <algorithm>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

QString spoken(std::string_view name) {
    return capitalised(to_qstring(name).replace(u'_', u' '));
}

// Kinds whose names alone do not say what happened.
QString special_title(EventKind kind) {
    switch (kind) {
        case EventKind::client_hostile:
            return QObject::tr("Hostile client");
        case EventKind::config_loaded:
            return QObject::tr("Configuration read");
        case EventKind::config_refused:
            return QObject::tr("Configuration refused");
        case EventKind::more_refused:
            return QObject::tr("More refusals");
        case EventKind::rows_missing:
            return QObject::tr("History cut");
        case EventKind::audit_broken:
            return QObject::tr("History changed");
        case EventKind::events_removed:
            return QObject::tr("Old events removed");
        case EventKind::policy_unreadable:
            return QObject::tr("Policy lost");
        case EventKind::keeper_found:
            return QObject::tr("Keeper found");
        case EventKind::not_kept:
            return QObject::tr("Memory not kept");
        default:
            return {};
    }
}

// "read_write/none/none, 2 rules, audited"
QString policy_sentence(const QString& summary) {
    const auto comma = summary.indexOf(u',');
    const auto classes = summary.left(comma).split(u'/');
    if (classes.size() != 3) return summary;
    const auto word = [&](qsizetype i) { return QString(classes[i]).replace(u'_', u' '); };
    return QObject::tr("owner %1, group %2, others %3").arg(word(0), word(1), word(2)) +
           (comma < 0 ? QString() : summary.mid(comma));
}

// "2 references: python3 (4711), top (12) read-only"; of rows of older releases the count alone.
QString references_sentence(const QJsonObject& detail) {
    const auto number = [](const QJsonObject& object, const char* key) {
        return static_cast<std::uint64_t>(std::max(0.0, object[QLatin1String(key)].toDouble()));
    };
    if (!detail.contains(QLatin1String("count"))) return {};
    QStringList holders;
    for (const auto& value : detail[QLatin1String("holders")].toArray()) {
        const auto holder = value.toObject();
        auto text = QStringLiteral("%1 (%2)").arg(holder[QLatin1String("process")].toString(),
                                                  QString::number(number(holder, "pid")));
        if (number(holder, "count") > 1)
            text += QStringLiteral(" ×%1").arg(count_text(number(holder, "count")));
        if (holder[QLatin1String("read_only")].toBool()) text += QObject::tr(" read-only");
        holders << text;
    }
    if (const auto more = number(detail, "more"); more > 0)
        holders << QObject::tr("%1 more").arg(count_text(more));
    const auto count = counted(number(detail, "count"), "reference", "references");
    return holders.isEmpty() ? count : count + QStringLiteral(": ") + holders.join(u", ");
}

// Of fields that belong into one sentence; empty: each stands for itself.
QString sentence(EventKind kind, const QJsonObject& detail) {
    const auto number = [&](const char* key) {
        return static_cast<std::uint64_t>(std::max(0.0, detail[QLatin1String(key)].toDouble()));
    };
    const auto count = [&](const char* key) { return count_text(number(key)); };
    switch (kind) {
        case EventKind::rows_missing:
            return QObject::tr("%1 after row %2")
                .arg(counted(number("lost"), "row", "rows"), count("after"));
        case EventKind::events_removed:
            return QObject::tr("%1, up to row %2, older than events are kept")
                .arg(counted(number("rows"), "row", "rows"), count("up_to"));
        case EventKind::key_rotated:
            return QObject::tr("key number %1, by %2")
                .arg(count("key_version"), detail[QLatin1String("process")].toString());
        case EventKind::references:
            return references_sentence(detail);
        case EventKind::policy_changed:
            return policy_sentence(detail[QLatin1String("policy")].toString());
        default:
            return {};
    }
}

QString field_text(const QString& key, const QJsonValue& value) {
    if (value.isString()) return value.toString().replace(u'_', u' ');
    if (value.isBool()) return value.toBool() ? key : QStringLiteral("not ") + key;
    const auto number = static_cast<std::uint64_t>(std::max(0.0, value.toDouble()));
    if (key == u"bytes" || key == u"size") return size_text(number);
    auto name = QString(key).replace(u'_', u' ');
    if (number == 1 && name.endsWith(u's')) name.chop(1);
    return QStringLiteral("%1 %2").arg(count_text(number), name);
}

}  // namespace

QString event_title(EventKind kind) {
    const auto special = special_title(kind);
    return special.isEmpty() ? spoken(to_string(kind)) : special;
}

const std::vector<EventKind>& all_event_kinds() {
    static const std::vector<EventKind> kinds{
#define X(name, number) EventKind::name,
        SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
    };
    return kinds;
}

const std::vector<EventKind>& security_kinds() {
    static const std::vector<EventKind> kinds{
        EventKind::refused,        EventKind::client_hostile,    EventKind::damaged,
        EventKind::config_loaded,  EventKind::config_refused,    EventKind::lock_forced,
        EventKind::policy_changed, EventKind::policy_unreadable, EventKind::key_rotated,
        EventKind::accessed,       EventKind::access_ended,      EventKind::rows_missing,
        EventKind::audit_broken,   EventKind::events_removed,    EventKind::gap,
        EventKind::more_refused,
    };
    return kinds;
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
        case EventKind::rows_missing:
        case EventKind::audit_broken:
        case EventKind::policy_unreadable:
        case EventKind::health_problem:
        case EventKind::telemetry_failed:
        case EventKind::alert_fired:
        case EventKind::alert_hook_failed:
        case EventKind::arena_damaged:
            return Tone::bad;
        case EventKind::client_gone:
        case EventKind::client_disconnected:
        case EventKind::owner_gone:
        case EventKind::quarantined:
        case EventKind::registry_reset:
        case EventKind::database_reopened:
        case EventKind::leftover_kept:
        case EventKind::policy_changed:
        case EventKind::not_kept:
        case EventKind::alert_rule_changed:
        case EventKind::alerts_skipped:
        case EventKind::clock_stepped:
        case EventKind::socket_restored:
            return Tone::caution;
        case EventKind::allocated:
        case EventKind::client_connected:
        case EventKind::client_resumed:
        case EventKind::restored:
        case EventKind::manager_started:
        case EventKind::keeper_found:
        case EventKind::health_mended:
        case EventKind::alert_resolved:
        case EventKind::alert_hook_mended:
            return Tone::good;
        case EventKind::freed:
        case EventKind::withdrawn:
        case EventKind::cleanup:
        case EventKind::leftover_removed:
        case EventKind::accessed:
        case EventKind::key_rotated:
        case EventKind::events_removed:
        case EventKind::alert_acknowledged:
        case EventKind::alert_silenced:
            return Tone::info;
        default:
            return row.result.empty() || row.result == "ok" ? Tone::neutral : Tone::bad;
    }
}

QString event_detail(const EventRow& row) {
    const auto detail = QByteArray::fromStdString(row.detail);
    const auto object = QJsonDocument::fromJson(detail).object();
    if (auto text = sentence(row.kind, object); !text.isEmpty()) return text;
    QStringList parts;
    for (auto it = object.begin(); it != object.end(); ++it)
        if (auto text = field_text(it.key(), it.value()); !text.isEmpty()) parts << text;
    return parts.join(QStringLiteral("  ·  "));
}

QString event_result(const EventRow& row) {
    return row.result.empty() ? QStringLiteral("ok") : to_qstring(row.result).replace(u'_', u' ');
}

}  // namespace snakepit::shm::ui
