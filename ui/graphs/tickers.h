// SPDX-License-Identifier: GPL-3.0-or-later
// What stands at the axes of plots.
#pragma once

#include "ui/graphs/plotting.h"

namespace snakepit::shm::ui {

// Ticks at 1, 2, 4 … of a binary unit: "64 MiB", not "62.5 MiB".
class ByteTicker : public QCPAxisTicker {
  protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
    QString getTickLabel(double tick, const QLocale&, QChar, int) override;
};

// Whole numbers only.
class CountTicker : public QCPAxisTicker {
  protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
};

// Times of day, with the date where that is not clear.
class TimeTicker : public QCPAxisTickerDateTime {
  public:
    void generate(const QCPRange& range, const QLocale& locale, QChar format, int precision,
                  QVector<double>& ticks, QVector<double>* sub_ticks,
                  QVector<QString>* labels) override;
};

}  // namespace snakepit::shm::ui
