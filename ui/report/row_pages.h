// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "events/event_reader.h"
#include "ui/report/paper.h"

namespace snakepit::shm::ui {

QString utc_text(Timestamp time);  // "2026-03-01 14:03:21"
QString number_text(std::int64_t number);

// The rows of a report on pages that lie, each row as tall as what it says. They are measured
// first, so that it is known how many pages there will be. `rows` outlives it.
class RowPages {
  public:
    // `footer`: kept free at the end of each page, points.
    RowPages(Paper& paper, const std::vector<EventRow>& rows, double footer);

    std::size_t count() const { return ends_.size(); }
    void draw(std::size_t page, const QString& title);  // begins the page

  private:
    TextStyle style(std::size_t column, const EventRow& row) const;
    double height(const EventRow& row) const;
    double draw_head(double y);
    void draw_row(std::size_t number, double y, bool shaded);

    Paper& paper_;
    const std::vector<EventRow>& rows_;
    std::vector<std::size_t> ends_;  // of the rows on each page
    std::vector<double> heights_;
};

}  // namespace snakepit::shm::ui
