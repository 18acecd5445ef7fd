// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/format.h"

#include <QDateTime>
#include <QLocale>
#include <cmath>

#include "base/units.h"
#include "ui/models/commands.h"

namespace snakepit::shm::ui {

QString to_qstring(std::string_view text) {
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

QString spoken_name(std::string_view name) {
    const bool one_word = name == "read_only" || name == "read_write";
    return to_qstring(name).replace(u'_', one_word ? u'-' : u' ');
}

QString program_text(std::string_view name, std::int64_t pid) {
    return name.empty() && pid == 0 ? u"another pid namespace"_s : to_qstring(name);
}

QString capitalised(QString text) {
    if (!text.isEmpty()) text[0] = text[0].toUpper();
    return text;
}

QString size_text(std::uint64_t bytes) {
    return QString::fromStdString(format_size(bytes));
}

QString duration_text(std::int64_t millis) {
    return QString::fromStdString(format_duration(millis));
}

QString nanos_text(double nanos) {
    return QString::fromStdString(format_nanos(nanos));
}

QString since_text(Timestamp then, Timestamp now) {
    if (then.micros == 0) return u"–"_s;
    const auto millis = (now.micros - then.micros) / 1000;
    if (millis < 1000) return u"now"_s;
    if (millis < 60'000) return u"%1 s"_s.arg(millis / 1000);
    return duration_text(millis);
}

QString clock_text(Timestamp time) {
    const auto when = QDateTime::fromMSecsSinceEpoch(time.micros / 1000);
    return when.date() == QDate::currentDate() ? when.toString(u"HH:mm:ss.zzz"_s)
                                               : when.toString(u"yyyy-MM-dd HH:mm:ss.zzz"_s);
}

QString short_clock_text(Timestamp time) {
    const auto when = QDateTime::fromMSecsSinceEpoch(time.micros / 1000);
    return when.toString(when.date() == QDate::currentDate() ? u"HH:mm:ss"_s
                                                             : u"yyyy-MM-dd HH:mm"_s);
}

QString zoned_text(Timestamp time) {
    return QDateTime::fromMSecsSinceEpoch(time.micros / 1000).toString(u"yyyy-MM-dd HH:mm:ss t"_s);
}

QString count_text(std::uint64_t count) {
    return QLocale(QLocale::English).toString(static_cast<qulonglong>(count));
}

QString pluralize(std::uint64_t count, const char* one, const char* many) {
    return count_text(count) + u' ' + QString::fromUtf8(count == 1 ? one : many);
}

QString error_text(const Error& error) {
    return with_instance(QString::fromStdString(error.sentence()));
}

}  // namespace snakepit::shm::ui
