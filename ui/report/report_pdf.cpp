// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report_pdf.h"

#include <QBuffer>
#include <algorithm>
#include <array>

#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/user_names.h"
#include "ui/report/report_charts.h"
#include "ui/report/row_pages.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kLeftSide = Qt::AlignLeft | Qt::AlignVCenter;
constexpr int kRightSide = Qt::AlignRight | Qt::AlignVCenter;
constexpr double kFooter = 22;
constexpr int kCountedRows = 18;  // lines of one table of counts
constexpr int kFindings = 8;

QString kind_name(const std::string& name) {
    const auto kind = parse_event_kind(name);
    return kind ? event_title(*kind) : to_qstring(name);
}

QString result_name(const std::string& name) {
    return to_qstring(name).replace(u'_', u' ');
}

using Counts = std::vector<std::pair<QString, std::int64_t>>;

// The most frequent first; what there is no room for comes together.
Counts most_of(Counts counts) {
    std::stable_sort(counts.begin(), counts.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    if (counts.size() <= kCountedRows) return counts;
    std::int64_t rest = 0;
    for (std::size_t i = kCountedRows - 1; i < counts.size(); ++i) rest += counts[i].second;
    const auto more = counts.size() - (kCountedRows - 1);
    counts.resize(kCountedRows - 1);
    counts.emplace_back(QObject::tr("%1 others").arg(more), rest);
    return counts;
}

struct Tile {
    QString title, figure;
    bool words;
};

class Pages {
  public:
    Pages(QIODevice& out, const ReportContents& report, const std::vector<EventRow>& rows)
        : report_(report),
          rows_(rows),
          title_(QObject::tr("Audit report of %1").arg(to_qstring(report.instance))),
          paper_(out, title_),
          listed_(paper_, rows, kFooter) {}

    void draw() {
        front_page();
        summary_page();
        for (std::size_t page = 0; page < listed_.count(); ++page) {
            listed_.draw(page, rows_title());
            footer();
        }
    }

  private:
    void footer();
    double heading(double y, const QString& title);
    void front_page();
    double verdict_box(double y);
    void tile(const QRectF& box, const Tile& tile);
    double tiles(double y);
    void summary_page();
    void counts(const QRectF& box, const QString& title, const Counts& counts,
                const QColor& colour);
    void proof(double y);
    QString rows_title() const;

    const ReportContents& report_;
    const std::vector<EventRow>& rows_;
    QString title_;
    Paper paper_;
    RowPages listed_;
    int page_ = 0;
};

void Pages::footer() {
    ++page_;
    const auto page = paper_.page();
    const QRectF line(page.left(), page.bottom() - 12, page.width(), 12);
    const auto style = paper_.muted(7.5);
    paper_.line({page.left(), line.top() - 4}, {page.right(), line.top() - 4},
                paper_.colours().border);
    paper_.text(line, kLeftSide,
                QObject::tr("%1, created %2 UTC").arg(title_, utc_text(report_.made)), style);
    paper_.text(line, kRightSide, QObject::tr("Page %1 of %2").arg(page_).arg(listed_.count() + 2),
                style);
}

double Pages::heading(double y, const QString& title) {
    const auto page = paper_.page();
    paper_.text({page.left(), y, page.width(), 16}, kLeftSide, title, paper_.style(11.5, true));
    return y + 22;
}

void Pages::front_page() {
    const auto page = paper_.page();
    paper_.picture({page.left(), page.top(), 34, 34}, u":/icons/snakepit.svg"_s);
    paper_.text({page.left() + 46, page.top() - 4, page.width(), 26}, kLeftSide,
                QObject::tr("Audit report"), paper_.style(20, true));
    paper_.text({page.left() + 46, page.top() + 21, page.width(), 14}, kLeftSide,
                QObject::tr("Snakepit SHM, instance %1, created %2 UTC")
                    .arg(to_qstring(report_.instance), utc_text(report_.made)),
                paper_.muted(9));
    double y = verdict_box(page.top() + 52);
    y = tiles(y + 12);
    const auto& c = paper_.colours();
    const auto& graphs = report_.summary.graphs;
    const double left = page.bottom() - kFooter - y - 3 * 22 - 2 * 14;
    const double tall = left * 0.46, low = left * 0.27;
    y = heading(y + 16, QObject::tr("Events over time"));
    draw_events(paper_, {page.left(), y, page.width(), tall}, graphs);
    y = heading(y + tall + 6, QObject::tr("Memory used by regions"));
    draw_steps(paper_, {page.left(), y, page.width(), low}, graphs,
               {&graphs.bytes, c.series[1], true});
    y = heading(y + low + 6, QObject::tr("Regions"));
    draw_steps(paper_, {page.left(), y, page.width(), low}, graphs, {&graphs.regions, c.series[5]});
    footer();
}

double Pages::verdict_box(double y) {
    const auto page = paper_.page();
    const auto& verdict = report_.verdict;
    const auto& severity =
        paper_.colours().severity(verdict.clean() ? Severity::good : Severity::bad);
    const auto words = capitalised(to_qstring(verdict.summary()));
    const auto facts =
        QObject::tr("%1 read, %2")
            .arg(pluralize(verdict.rows, "row", "rows"),
                 pluralize(verdict.checkpoints, "signed checkpoint", "signed checkpoints"));
    const double inner = page.width() - 36;
    const auto body = paper_.style(9);
    const double tall = paper_.height(inner, kWrapped, words, body);
    const QRectF box(page.left(), y, page.width(), tall + 54);
    paper_.fill(box, severity.fill, 6);
    paper_.fill({box.left(), box.top(), 5, box.height()}, severity.text, 2.5);
    paper_.text({box.left() + 18, y + 8, inner, 18}, kLeftSide,
                verdict.clean() ? QObject::tr("The history is genuine")
                                : QObject::tr("The history was altered"),
                {12.5, severity.text, true});
    paper_.text({box.left() + 18, y + 28, inner, tall + 2}, kWrapped, words, body);
    paper_.text({box.left() + 18, y + 32 + tall, inner, 14}, kLeftSide, facts, paper_.muted(8));
    return box.bottom();
}

// A figure large, or a few words small.
void Pages::tile(const QRectF& box, const Tile& tile) {
    constexpr int kFlags = Qt::AlignLeft | Qt::AlignTop | Qt::TextWrapAnywhere;
    const QRectF inner = box.adjusted(9, 21, -5, -1);
    paper_.frame(box, paper_.colours().border, 5);
    paper_.text({inner.left(), box.top() + 7, inner.width(), 12}, kLeftSide, tile.title,
                paper_.muted(8));
    if (!tile.words)
        return paper_.text({inner.left(), box.top() + 22, inner.width(), 24}, kLeftSide,
                           tile.figure, paper_.style(16, true));
    auto style = paper_.style(8);
    if (paper_.height(inner.width(), kFlags, tile.figure, style) > inner.height()) style.size = 6;
    paper_.text(inner, kFlags, tile.figure, style);
}

double Pages::tiles(double y) {
    const auto page = paper_.page();
    const auto& s = report_.summary;
    std::int64_t refused = 0;
    for (const auto& [result, count] : s.results)
        if (result != "ok" && !result.empty()) refused += count;
    const auto period = s.rows == 0
                            ? QObject::tr("no rows")
                            : QObject::tr("%1\nto %2").arg(utc_text(s.first), utc_text(s.last));
    const auto filter = report_.filter.empty() ? QObject::tr("none") : to_qstring(report_.filter);
    const std::array<Tile, 5> all{{{QObject::tr("Events"), number_text(s.rows), false},
                                   {QObject::tr("Refused or failed"), number_text(refused), false},
                                   {QObject::tr("Users"), count_text(s.users.size()), false},
                                   {QObject::tr("Period (UTC)"), period, true},
                                   {QObject::tr("Filter"), filter, true}}};
    const std::array widths{0.15, 0.18, 0.12, 0.27, 0.28};
    constexpr double kGap = 8, kTall = 56;
    double x = page.left();
    for (std::size_t i = 0; i < all.size(); ++i) {
        const double width = (page.width() - kGap * 4) * widths[i];
        tile({x, y, width, kTall}, all[i]);
        x += width + kGap;
    }
    return y + kTall;
}

void Pages::counts(const QRectF& box, const QString& title, const Counts& counts,
                   const QColor& colour) {
    paper_.text({box.left(), box.top(), box.width(), 16}, kLeftSide, title,
                paper_.style(11.5, true));
    std::int64_t most = 1;
    for (const auto& [name, count] : counts) most = std::max(most, count);
    auto shade = colour;
    shade.setAlphaF(0.18);
    double y = box.top() + 22;
    for (const auto& [name, count] : counts) {
        const auto share = static_cast<double>(count) / static_cast<double>(most);
        paper_.fill({box.left(), y + 1, std::max(2.0, box.width() * share), 13}, shade, 2);
        paper_.text({box.left() + 6, y, box.width() - 60, 15}, kLeftSide, name, paper_.style(8.5));
        paper_.text({box.left(), y, box.width() - 6, 15}, kRightSide, number_text(count),
                    paper_.style(8.5, true));
        y += 16;
    }
    if (counts.empty())
        paper_.text({box.left(), y, box.width(), 15}, kLeftSide, QObject::tr("none"),
                    paper_.muted(8.5));
}

void Pages::summary_page() {
    paper_.next_page(false);
    const auto page = paper_.page();
    const auto& s = report_.summary;
    Counts kinds, results, users;
    for (const auto& [name, count] : s.kinds) kinds.emplace_back(kind_name(name), count);
    for (const auto& [name, count] : s.results) results.emplace_back(result_name(name), count);
    for (const auto& [uid, count] : s.users) users.emplace_back(user_text(uid), count);
    const auto& series = paper_.colours().series;
    const double half = page.width() / 2 - 12;
    const auto most_results = most_of(std::move(results));
    counts({page.left(), page.top(), half, 0}, QObject::tr("By kind"), most_of(std::move(kinds)),
           series[0]);
    counts({page.left() + half + 24, page.top(), half, 0}, QObject::tr("By result"), most_results,
           series[1]);
    const double second = page.top() + 22 + 16 * static_cast<double>(most_results.size()) + 18;
    auto most_users = most_of(std::move(users));
    const auto room = static_cast<std::size_t>(
        std::max(3.0, (page.top() + 22 + 16.0 * kCountedRows - second - 22) / 16));
    if (most_users.size() > room) most_users.resize(room);
    counts({page.left() + half + 24, second, half, 0}, QObject::tr("By user, most active first"),
           most_users, series[2]);
    const auto users_end = second + 22 + 16 * static_cast<double>(most_users.size());
    const auto kinds_end =
        page.top() + 22 +
        16 * static_cast<double>(std::min<std::size_t>(s.kinds.size(), kCountedRows));
    proof(std::max(users_end, kinds_end) + 26);
    footer();
}

// What was found, what is to be known, and how a reader checks this very file.
void Pages::proof(double y) {
    const auto page = paper_.page();
    const auto& verdict = report_.verdict;
    const auto paragraph = [&](const QString& text, const TextStyle& style, int flags) {
        const double tall = paper_.height(page.width(), flags, text, style);
        if (y + tall > page.bottom() - kFooter) return;
        paper_.text({page.left(), y, page.width(), tall + 2}, flags, text, style);
        y += tall + 6;
    };
    if (!verdict.clean()) {
        y = heading(y, QObject::tr("Problems found in the history"));
        auto bad = paper_.style(8.5);
        bad.colour = paper_.colours().severity(Severity::bad).text;
        const auto listed = std::min<std::size_t>(verdict.findings.size(), kFindings);
        for (std::size_t i = 0; i < listed; ++i)
            paragraph(to_qstring(verdict.findings[i].what), bad, kWrapped);
        if (verdict.problems > listed)
            paragraph(QObject::tr("… and %1 more problems; the other formats list all of them.")
                          .arg(count_text(verdict.problems - listed)),
                      bad, kWrapped);
        y += 10;
    }
    if (!verdict.notes.empty()) {
        y = heading(y, QObject::tr("Notes"));
        for (const auto& note : verdict.notes)
            paragraph(to_qstring(note), paper_.style(8.5), kWrapped);
        y += 10;
    }
    y = heading(y, QObject::tr("Verifying this file"));
    paragraph(
        QObject::tr("This file ends with a signature, made with the instance's key, of every byte "
                    "before it. With the public key, any change can be detected on any machine:"),
        paper_.style(8.5), kWrapped);
    auto mono = paper_.style(7.5);
    mono.mono = true;
    paragraph(u"snakepit-shm audit verify FILE --key %1"_s.arg(
                  QString::fromStdString(to_hex(report_.key))),
              mono, kBroken);
    paragraph(QObject::tr("Compare the key with a copy obtained independently of this file."),
              paper_.muted(8), kWrapped);
}

// All rows are listed from the newest on, as far as there is room for them.
QString Pages::rows_title() const {
    const auto all = report_.summary.rows;
    const auto title = QObject::tr("Events, newest first");
    if (all <= static_cast<std::int64_t>(rows_.size())) return title;
    return title + QObject::tr("; the newest %1 of %2 (the other formats contain all)")
                       .arg(count_text(rows_.size()), number_text(all));
}

}  // namespace

QByteArray draw_report(const ReportContents& report, const std::vector<EventRow>& rows) {
    for (const auto& row : rows) learn_user(row.uid);
    for (const auto& [uid, count] : report.summary.users) learn_user(uid);
    QByteArray pdf;
    QBuffer buffer(&pdf);
    buffer.open(QIODevice::WriteOnly);
    { Pages(buffer, report, rows).draw(); }
    return pdf;
}

}  // namespace snakepit::shm::ui
