// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/tickers.h"

#include <QDateTime>
#include <algorithm>
#include <cmath>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kManyHours = 4 * 3600, kManyDays = 6 * 86'400;  // seconds

}  // namespace

double ByteTicker::getTickStep(const QCPRange& range) {
    const double rough = std::max(1.0, range.size() / 5);
    return std::exp2(std::ceil(std::log2(rough)));
}

QString ByteTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    return tick <= 0 ? u"0"_s : size_text(static_cast<std::uint64_t>(tick));
}

double CountTicker::getTickStep(const QCPRange& range) {
    const double rough = std::max(1.0, range.size() / 5);
    const double unit = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (unit * factor >= rough) return std::max(1.0, unit * factor);
    return unit * 10;
}

void TimeTicker::generate(const QCPRange& range, const QLocale& locale, QChar format, int precision,
                          QVector<double>& ticks, QVector<double>* sub_ticks,
                          QVector<QString>* labels) {
    const auto day = [](double time) {
        return QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(time * 1000)).date();
    };
    const auto time = range.size() > kManyHours ? u"HH:mm"_s : u"HH:mm:ss"_s;
    const bool today =
        day(range.lower) == QDate::currentDate() && day(range.upper) == QDate::currentDate();
    setDateTimeFormat(today                      ? time
                      : range.size() > kManyDays ? u"yyyy-MM-dd"_s
                                                 : u"yyyy-MM-dd\n"_s + time);
    QCPAxisTickerDateTime::generate(range, locale, format, precision, ticks, sub_ticks, labels);
}

}  // namespace snakepit::shm::ui
