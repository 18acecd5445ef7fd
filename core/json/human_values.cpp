// SPDX-License-Identifier: MIT
#include "json/human_values.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStringList>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

// Keys whose number is a time in milliseconds.
constexpr std::array kDurations{"timeout",
                                "default_timeout",
                                "grace_period",
                                "quarantine",
                                "event_retention",
                                "cleanup_interval",
                                "health_check_interval",
                                "interval",
                                "host_history_interval"};

// What 0 means, where it is more than "none".
struct Zero {
    const char* key;
    const char* meaning;
};
constexpr std::array kZeros{
    Zero{"max_regions_per_user", "unlimited"},
    Zero{"max_memory_per_user", "unlimited"},
    Zero{"max_memory", "unlimited"},
    Zero{"max_regions", "unlimited"},
    Zero{"timeout", "never"},
    Zero{"default_timeout", "never"},
    Zero{"event_retention", "forever"},
    Zero{"quarantine", "off"},
    Zero{"metrics_max_size", "off"},
    Zero{"host_history_interval", "off"},
};

bool is_size(const QString& group, const QString& key) {
    if (key.contains("files")) return false;
    return key.contains("bytes") || key.contains("size") || key.endsWith("memory") ||
           key.endsWith("memory_per_user") || group.endsWith("space");
}

bool is_duration(const QString& key) {
    return key.endsWith("_ms") ||
           std::any_of(kDurations.begin(), kDurations.end(),
                       [&key](const char* name) { return key == QLatin1String(name); });
}

std::string number_text(const QString& group, const QString& key, const QJsonValue& value) {
    const auto number = value.toDouble();
    if (number == 0)
        for (const auto& zero : kZeros)
            if (key == QLatin1String(zero.key)) return zero.meaning;
    if (number >= 0 && is_duration(key)) return exact_duration(value.toInteger());
    if (number >= 0 && is_size(group, key)) return format_size(static_cast<std::uint64_t>(number));
    return value.toVariant().toString().toStdString();
}

// "user root, regions 3": an object within an array.
QString object_text(const QString& group, const QJsonObject& object) {
    QStringList parts;
    for (auto it = object.begin(); it != object.end(); ++it)
        parts += it.key() + ' ' + QString::fromStdString(human_value(group, it.key(), *it));
    return parts.join(", ");
}

}  // namespace

std::string exact_duration(std::int64_t millis) {
    struct Unit {
        std::int64_t millis;
        std::string_view name;
    };
    constexpr std::array kUnits{Unit{86'400'000, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "min"},
                                Unit{1000, "s"}};
    for (const auto& unit : kUnits)
        if (millis != 0 && millis % unit.millis == 0)
            return fmt::format("{} {}", millis / unit.millis, unit.name);
    return millis == 0 ? "0 s" : fmt::format("{} ms", millis);
}

std::string human_value(const QString& group, const QString& key, const QJsonValue& value) {
    if (value.isNull() || value.isUndefined()) return "-";
    if (value.isBool()) return value.toBool() ? "yes" : "no";
    if (value.isDouble()) return number_text(group, key, value);
    if (value.isObject()) return object_text(key, value.toObject()).toStdString();
    if (value.isArray()) {
        QStringList parts;
        for (const auto& item : value.toArray())
            parts += QString::fromStdString(human_value(group, key, item));
        return parts.isEmpty()
                   ? "none"
                   : parts.join(key == "users" || key == "hooks" ? "; " : ", ").toStdString();
    }
    const auto text = value.toString();
    return text.isEmpty() ? "-" : text.toStdString();
}

}  // namespace snakepit::shm
