// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/event_text.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QObject>
#include <QStringList>
#include <algorithm>
#include <array>
#include <utility>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

QString spoken(std::string_view name) {
    return capitalised(to_qstring(name).replace(u'_', u' '));
}

// Kinds whose names alone do not say what happened.
constexpr std::array<std::pair<EventKind, const char*>, 14> kSpecialTitles{{
    {EventKind::client_gone, "Client exited"},
    {EventKind::owner_gone, "Owner exited"},
    {EventKind::health_mended, "Health restored"},
    {EventKind::alert_hook_mended, "Alert hook restored"},
    {EventKind::client_hostile, "Hostile client"},
    {EventKind::config_loaded, "Configuration loaded"},
    {EventKind::config_refused, "Configuration refused"},
    {EventKind::more_refused, "More refusals"},
    {EventKind::rows_missing, "Events missing"},
    {EventKind::audit_broken, "History changed"},
    {EventKind::events_removed, "Old events removed"},
    {EventKind::policy_unreadable, "Policy lost"},
    {EventKind::keeper_found, "Keeper found"},
    {EventKind::not_kept, "Memory not kept"},
}};

constexpr std::array kBad{EventKind::refused,
                          EventKind::more_refused,
                          EventKind::allocation_failed,
                          EventKind::config_refused,
                          EventKind::damaged,
                          EventKind::client_hostile,
                          EventKind::gap,
                          EventKind::rows_missing,
                          EventKind::audit_broken,
                          EventKind::policy_unreadable,
                          EventKind::health_problem,
                          EventKind::telemetry_failed,
                          EventKind::alert_fired,
                          EventKind::alert_hook_failed,
                          EventKind::arena_damaged};
constexpr std::array kCaution{
    EventKind::client_gone,        EventKind::client_disconnected, EventKind::owner_gone,
    EventKind::quarantined,        EventKind::registry_reset,      EventKind::database_reopened,
    EventKind::leftover_kept,      EventKind::policy_changed,      EventKind::not_kept,
    EventKind::alert_rule_changed, EventKind::alerts_skipped,      EventKind::clock_stepped,
    EventKind::socket_restored};
constexpr std::array kGood{
    EventKind::allocated,     EventKind::client_connected, EventKind::client_resumed,
    EventKind::restored,      EventKind::manager_started,  EventKind::keeper_found,
    EventKind::health_mended, EventKind::alert_resolved,   EventKind::alert_hook_mended};
constexpr std::array kInfo{EventKind::freed,          EventKind::withdrawn,
                           EventKind::cleanup,        EventKind::leftover_removed,
                           EventKind::accessed,       EventKind::key_rotated,
                           EventKind::events_removed, EventKind::alert_acknowledged,
                           EventKind::alert_silenced};

template <typename Kinds>
bool is_one_of(EventKind kind, const Kinds& kinds) {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// "read_write/none/none, 2 rules, audited"
QString policy_sentence(const QString& summary) {
    const auto comma = summary.indexOf(u',');
    const auto classes = summary.left(comma).split(u'/');
    if (classes.size() != 3) return summary;
    const auto word = [&](qsizetype i) { return spoken_name(classes[i].toStdString()); };
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
        auto text = u"%1 (%2)"_s.arg(holder[QLatin1String("process")].toString(),
                                     QString::number(number(holder, "pid")));
        if (const auto worker = holder[QLatin1String("worker")].toString(); !worker.isEmpty())
            text += QObject::tr(", worker %1").arg(worker);
        if (number(holder, "count") > 1) text += u" ×%1"_s.arg(count_text(number(holder, "count")));
        if (holder[QLatin1String("read_only")].toBool()) text += QObject::tr(" read-only");
        holders << text;
    }
    if (const auto more = number(detail, "more"); more > 0)
        holders << QObject::tr("%1 more").arg(count_text(more));
    const auto count = pluralize(number(detail, "count"), "reference", "references");
    return holders.isEmpty() ? count : count + u": "_s + holders.join(u", ");
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
                .arg(pluralize(number("lost"), "row", "rows"), count("after"));
        case EventKind::events_removed:
            return QObject::tr("%1 removed by retention, up to row %2")
                .arg(pluralize(number("rows"), "row", "rows"), count("up_to"));
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
    if (value.isString()) return spoken_name(value.toString().toStdString());
    if (value.isBool()) return value.toBool() ? key : u"not "_s + key;
    const auto number = static_cast<std::uint64_t>(std::max(0.0, value.toDouble()));
    if (key == u"bytes" || key == u"size") return size_text(number);
    auto name = QString(key).replace(u'_', u' ');
    if (number == 1 && name.endsWith(u's')) name.chop(1);
    return u"%1 %2"_s.arg(count_text(number), name);
}

}  // namespace

QString event_title(EventKind kind) {
    for (const auto& [special, title] : kSpecialTitles)
        if (special == kind) return QObject::tr(title);
    return spoken(to_string(kind));
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

Severity severity_of(const EventRow& row) {
    if (is_one_of(row.kind, kBad)) return Severity::bad;
    if (is_one_of(row.kind, kCaution)) return Severity::caution;
    if (is_one_of(row.kind, kGood)) return Severity::good;
    if (is_one_of(row.kind, kInfo)) return Severity::info;
    return row.result.empty() || row.result == "ok" ? Severity::neutral : Severity::bad;
}

QString event_detail(const EventRow& row) {
    const auto detail = QByteArray::fromStdString(row.detail);
    const auto object = QJsonDocument::fromJson(detail).object();
    if (auto text = sentence(row.kind, object); !text.isEmpty()) return text;
    QStringList parts;
    for (auto it = object.begin(); it != object.end(); ++it)
        if (row.kind == EventKind::allocated && it.key() == u"name")
            parts << u"“%1”"_s.arg(it.value().toString());
        else if (auto text = field_text(it.key(), it.value()); !text.isEmpty())
            parts << text;
    return parts.join(u"  ·  "_s);
}

QString event_result(const EventRow& row) {
    return row.result.empty() ? u"ok"_s : to_qstring(row.result).replace(u'_', u' ');
}

}  // namespace snakepit::shm::ui
