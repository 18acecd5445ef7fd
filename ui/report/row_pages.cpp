// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/row_pages.h"

#include <QDateTime>
#include <QTimeZone>
#include <algorithm>
#include <array>

#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kNumber = Qt::AlignRight | Qt::AlignTop;
constexpr double kText = 7.5;
constexpr double kTitle = 22;
constexpr double kHead = 18;
constexpr double kCellPadding = 4;

enum RowColumn : std::size_t {
    kSeq,
    kTime,
    kKind,
    kRegion,
    kUser,
    kPid,
    kResult,
    kDetail,
    kColumns
};
struct ColumnShape {
    const char* title;
    double width;
    int flags;
};
// Together as wide as a page that lies has room: 762 points.
constexpr std::array<ColumnShape, kColumns> kShapes{{{"No.", 44, kNumber},
                                                     {"Time (UTC)", 100, kWrapped},
                                                     {"Event", 96, kWrapped},
                                                     {"Region", 158, kBroken},
                                                     {"User", 58, kBroken},
                                                     {"PID", 46, kNumber},
                                                     {"Result", 80, kWrapped},
                                                     {"Details", 180, kWrapped}}};

std::array<QString, kColumns> texts_of(const EventRow& row) {
    return {number_text(row.seq),  utc_text(row.time),
            event_title(row.kind), to_qstring(row.region_id),
            user_text(row.uid),    row.pid ? QString::number(row.pid) : QString(),
            event_result(row),     event_detail(row)};
}

}  // namespace

QString utc_text(Timestamp time) {
    if (time.micros == 0) return u"–"_s;
    return QDateTime::fromMSecsSinceEpoch(time.micros / 1000, QTimeZone::utc())
        .toString(u"yyyy-MM-dd HH:mm:ss"_s);
}

QString number_text(std::int64_t number) {
    return count_text(static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0)));
}

RowPages::RowPages(Paper& paper, const std::vector<EventRow>& rows, double footer)
    : paper_(paper), rows_(rows) {
    // What stands upright is as wide as what lies is tall.
    const double room = paper.page().width() - footer - kTitle - kHead;
    double used = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        heights_.push_back(height(rows[i]));
        if (used + heights_.back() > room) {
            ends_.push_back(i);
            used = 0;
        }
        used += heights_.back();
    }
    if (!rows.empty()) ends_.push_back(rows.size());
}

TextStyle RowPages::style(std::size_t column, const EventRow& row) const {
    const auto& colours = paper_.colours();
    auto style = paper_.style(column == kRegion ? kText - 1 : kText);
    style.mono = column == kRegion;
    const bool fine = event_result(row) == u"ok";
    const auto severity = severity_of(row);
    if (column == kSeq || (column == kResult && fine)) style.colour = colours.muted;
    if (column == kResult && !fine) style.colour = colours.severity(Severity::bad).text;
    if (column == kKind && severity != Severity::none && severity != Severity::neutral)
        style.colour = colours.severity(severity).text;
    return style;
}

double RowPages::height(const EventRow& row) const {
    const auto texts = texts_of(row);
    double tall = kText;
    for (std::size_t i = 0; i < kColumns; ++i)
        tall = std::max(tall, paper_.height(kShapes[i].width - 2 * kCellPadding, kShapes[i].flags,
                                            texts[i], style(i, row)));
    return tall + 6;
}

double RowPages::draw_head(double y) {
    const auto page = paper_.page();
    auto style = paper_.muted(8);
    style.bold = true;
    double x = page.left();
    for (const auto& shape : kShapes) {
        const auto side = shape.flags == kNumber ? Qt::AlignRight : Qt::AlignLeft;
        paper_.text({x + kCellPadding, y, shape.width - 2 * kCellPadding, kHead},
                    side | Qt::AlignVCenter, QLatin1String(shape.title), style);
        x += shape.width;
    }
    paper_.line({page.left(), y + kHead}, {page.right(), y + kHead}, paper_.colours().border, 0.8);
    return y + kHead;
}

void RowPages::draw_row(std::size_t number, double y, bool shaded) {
    const auto& row = rows_[number];
    const auto page = paper_.page();
    const auto texts = texts_of(row);
    if (shaded)
        paper_.fill({page.left(), y, page.width(), heights_[number]}, paper_.colours().window);
    double x = page.left();
    for (std::size_t i = 0; i < kColumns; ++i) {
        const auto& shape = kShapes[i];
        paper_.text({x + kCellPadding, y + 3, shape.width - 2 * kCellPadding, heights_[number]},
                    shape.flags, texts[i], style(i, row));
        x += shape.width;
    }
}

void RowPages::draw(std::size_t page, const QString& title) {
    paper_.next_page(true);
    const auto box = paper_.page();
    paper_.text({box.left(), box.top(), box.width(), 16}, Qt::AlignLeft | Qt::AlignVCenter, title,
                paper_.style(10.5, true));
    double y = draw_head(box.top() + kTitle);
    const auto from = page == 0 ? 0 : ends_[page - 1];
    for (auto i = from; i < ends_[page]; ++i) {
        draw_row(i, y, (i - from) % 2 == 1);
        y += heights_[i];
    }
}

}  // namespace snakepit::shm::ui
