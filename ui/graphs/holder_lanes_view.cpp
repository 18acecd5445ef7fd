// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/holder_lanes_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>

#include "ui/models/format.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kLine = 30, kBar = 12, kThinBar = 5, kAxis = 26, kMargin = 10, kLeastBar = 3;
constexpr int kMostName = 220, kSince = 92;
constexpr int kTicks = 4;
constexpr int kSpokenLanes = 20;
constexpr std::int64_t kLeastSpan = 10 * kMicrosPerSecond;

QString length_text(Timestamp from, Timestamp to) {
    const auto millis = (to.micros - from.micros) / 1000;
    return millis < 1000 ? QObject::tr("less than 1 s") : duration_text(millis);
}

}  // namespace

HolderLanesView::HolderLanesView(QWidget* parent) : QAbstractScrollArea(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setAccessibleName(tr("Holders of the region"));
    viewport()->setAutoFillBackground(false);
    setMinimumHeight(kAxis + 3 * kLine);
}

void HolderLanesView::set_empty_text(const QString& text) {
    empty_ = text;
    viewport()->update();
}

void HolderLanesView::show_lanes(HolderLanes lanes, Timestamp until) {
    // The same process stays selected.
    const auto* before =
        selected_ >= 0 ? &lanes_.lanes[static_cast<std::size_t>(selected_)] : nullptr;
    int selected = -1;
    for (std::size_t i = 0; before && i < lanes.lanes.size(); ++i)
        if (lanes.lanes[i].pid == before->pid && lanes.lanes[i].started == before->started)
            selected = static_cast<int>(i);
    selected_ = selected;
    lanes_ = std::move(lanes);
    until_ = until;
    place_scroll_bar();
    describe();
    viewport()->update();
}

void HolderLanesView::set_until(Timestamp until) {
    until_ = until;
    viewport()->update();
}

// Screen readers hear those that still hold.
void HolderLanesView::describe() {
    if (selected_ >= 0) return setAccessibleDescription(sentence(selected_));
    QStringList out;
    for (int i = 0; i < static_cast<int>(lanes_.lanes.size()) && i < kSpokenLanes; ++i)
        out += sentence(i);
    if (lanes_.lanes.size() > kSpokenLanes)
        out += tr("%1 more").arg(
            pluralize(lanes_.lanes.size() - kSpokenLanes, "process", "processes"));
    setAccessibleDescription(out.isEmpty() ? empty_ : out.join(u"; "_s));
}

Timestamp HolderLanesView::from() const {
    Timestamp first{std::max<std::int64_t>(lanes_.first.micros, 0)};
    for (const auto& lane : lanes_.lanes)
        first = std::min(first, std::max(lane.holds.front().from, Timestamp{0}));
    return std::min(first, Timestamp{until_.micros - kLeastSpan});
}

QRect HolderLanesView::track() const {
    const int width = viewport()->width();
    const int left = std::min(kMostName, width / 3) + 2 * kMargin;
    return {left, 0, std::max(40, width - left - kSince - kMargin), kLine};
}

int HolderLanesView::x_of(Timestamp time) const {
    const auto begin = from().micros, span = std::max<std::int64_t>(until_.micros - begin, 1);
    const auto part = static_cast<double>(std::clamp(time.micros, begin, until_.micros) - begin) /
                      static_cast<double>(span);
    return track().left() + static_cast<int>(part * track().width());
}

Timestamp HolderLanesView::time_at(int x) const {
    const auto part =
        static_cast<double>(std::clamp(x, track().left(), track().right()) - track().left()) /
        std::max(1, track().width());
    const auto begin = from().micros;
    return {begin + static_cast<std::int64_t>(part * static_cast<double>(until_.micros - begin))};
}

int HolderLanesView::lane_at(int y) const {
    const int lane = (y - kAxis + verticalScrollBar()->value()) / kLine;
    return y < kAxis || lane >= static_cast<int>(lanes_.lanes.size()) ? -1 : lane;
}

QString HolderLanesView::name_of(const HolderLane& lane) const {
    auto name = visible_text(program_text(lane.process, lane.pid));
    if (lane.pid != 0) name += u" (%1)"_s.arg(lane.pid);
    if (!lane.worker.empty()) name += u" · "_s + visible_text(to_qstring(lane.worker));
    return name;
}

QString HolderLanesView::sentence(int number) const {
    const auto& lane = lanes_.lanes[static_cast<std::size_t>(number)];
    const auto& last = lane.holds.back();
    const auto since = length_text(last.from, lane.holds_now() ? until_ : last.to);
    const auto how = tr("%1, up to %2")
                         .arg(last.read_only ? tr("read-only") : tr("read-write"),
                              pluralize(last.most, "reference", "references"));
    const auto before =
        lane.holds.size() > 1
            ? tr(", held %1 earlier").arg(pluralize(lane.holds.size() - 1, "time", "times"))
            : QString();
    if (!lane.holds_now())
        return tr("%1 held it for %2 until %3 (%4%5)")
            .arg(name_of(lane), since, short_clock_text(last.to), how, before);
    if (last.unsure_from.micros != 0)
        return tr("%1 has held it since %2; it is unknown whether it still does (%3%4)")
            .arg(name_of(lane), short_clock_text(last.from), how, before);
    return (last.began_before ? tr("%1 has held it for at least %2, since before %3 (%4%5)")
                              : tr("%1 has held it for %2, since %3 (%4%5)"))
        .arg(name_of(lane), since, short_clock_text(last.from), how, before);
}

void HolderLanesView::place_scroll_bar() {
    const int needed = kAxis + kLine * static_cast<int>(lanes_.lanes.size());
    verticalScrollBar()->setRange(0, std::max(0, needed - viewport()->height()));
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(kLine);
}

void HolderLanesView::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    place_scroll_bar();
}

// So many parts that their labels fit, the outer ones inside of their ends.
int HolderLanesView::ticks(const QFontMetrics& metrics) const {
    const int words = metrics.horizontalAdvance(short_clock_text(from())) + kMargin;
    int count = std::clamp(2 * track().width() / (3 * std::max(words, 1)), 1, kTicks);
    // Of another day there are no seconds.
    while (count > 1 &&
           short_clock_text(tick_time(0, count)) == short_clock_text(tick_time(1, count)))
        --count;
    return count;
}

Timestamp HolderLanesView::tick_time(int tick, int count) const {
    return {from().micros + (until_.micros - from().micros) / count * tick};
}

void HolderLanesView::paint_grid(QPainter& painter) const {
    painter.setPen(colours().grid);
    const int count = ticks(painter.fontMetrics());
    for (int i = 0; i <= count; ++i) {
        const int x = x_of(tick_time(i, count));
        painter.drawLine(x, kAxis, x, viewport()->height());
    }
}

void HolderLanesView::paint_axis(QPainter& painter) const {
    const auto& p = colours();
    painter.fillRect(QRect(0, 0, viewport()->width(), kAxis), p.surface);
    painter.setPen(p.muted);
    painter.drawText(QRect(track().right() + kMargin, 0, kSince - kMargin, kAxis - 6),
                     Qt::AlignRight | Qt::AlignVCenter, tr("last hold"));
    const int count = ticks(painter.fontMetrics());
    for (int i = 0; i <= count; ++i) {
        const auto text = short_clock_text(tick_time(i, count));
        const int words = painter.fontMetrics().horizontalAdvance(text);
        const int x = x_of(tick_time(i, count));
        const int left = i == 0 ? x : i == count ? x - words : x - words / 2;
        painter.drawText(QRect(left, 0, words + 1, kAxis - 6), Qt::AlignLeft | Qt::AlignVCenter,
                         text);
    }
}

void HolderLanesView::paint_lane(QPainter& painter, const HolderLane& lane, const QRect& line,
                                 bool selected) const {
    const auto& p = colours();
    if (selected) painter.fillRect(line, p.selection);
    const QRect label(kMargin, line.top(), track().left() - 2 * kMargin, line.height());
    painter.setPen(lane.holds_now() ? p.text : p.muted);
    painter.drawText(
        label, Qt::AlignLeft | Qt::AlignVCenter,
        painter.fontMetrics().elidedText(name_of(lane), Qt::ElideMiddle, label.width()));
    const auto& last = lane.holds.back();
    const QRect since(track().right() + kMargin, line.top(), kSince - kMargin, line.height());
    const bool unsure = last.unsure_from.micros != 0;
    painter.setPen(lane.holds_now() && !unsure ? p.text : p.muted);
    painter.drawText(since, Qt::AlignRight | Qt::AlignVCenter,
                     unsure && lane.holds_now() ? tr("unknown")
                     : lane.holds_now()         ? length_text(last.from, until_)
                                                : length_text(last.from, last.to));
    const auto colour = lane.holds_now() ? p.accent : p.faint;
    for (const auto& hold : lane.holds) {
        const int height = hold.read_only ? kThinBar : kBar;
        const int top = line.center().y() - height / 2;
        const auto end = hold.to.micros == 0 ? until_ : hold.to;
        const auto sure = hold.unsure_from.micros == 0 ? end : hold.unsure_from;
        const int left = x_of(hold.from);
        painter.fillRect(left, top, std::max(kLeastBar, x_of(sure) - left), height, colour);
        if (sure < end)
            painter.fillRect(x_of(sure), top, std::max(kLeastBar, x_of(end) - x_of(sure)), height,
                             QBrush(colour, Qt::BDiagPattern));
    }
}

void HolderLanesView::paintEvent(QPaintEvent* /*event*/) {
    QPainter painter(viewport());
    if (lanes_.lanes.empty()) {
        painter.setPen(colours().muted);
        painter.drawText(viewport()->rect().adjusted(kMargin, 0, -kMargin, 0),
                         Qt::AlignCenter | Qt::TextWordWrap, empty_);
        return;
    }
    paint_grid(painter);
    const int scrolled = verticalScrollBar()->value();
    for (int i = 0; i < static_cast<int>(lanes_.lanes.size()); ++i) {
        const QRect line(0, kAxis + i * kLine - scrolled, viewport()->width(), kLine);
        if (line.bottom() >= kAxis && line.top() < viewport()->height())
            paint_lane(painter, lanes_.lanes[static_cast<std::size_t>(i)], line, i == selected_);
    }
    paint_axis(painter);
}

void HolderLanesView::select(int lane) {
    const int last = static_cast<int>(lanes_.lanes.size()) - 1;
    selected_ = std::clamp(lane, last < 0 ? -1 : 0, last);
    if (selected_ < 0) return;
    const int top = selected_ * kLine, room = viewport()->height() - kAxis;
    auto* bar = verticalScrollBar();
    if (top < bar->value()) bar->setValue(top);
    if (top + kLine > bar->value() + room) bar->setValue(top + kLine - room);
    setAccessibleDescription(sentence(selected_));
    viewport()->update();
}

void HolderLanesView::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
        case Qt::Key_Up:
            return select(selected_ - 1);
        case Qt::Key_Down:
            return select(selected_ + 1);
        case Qt::Key_Home:
            return select(0);
        case Qt::Key_End:
            return select(static_cast<int>(lanes_.lanes.size()) - 1);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            // Where its last hold began.
            if (selected_ >= 0)
                Q_EMIT moment_wanted(
                    lanes_.lanes[static_cast<std::size_t>(selected_)].holds.back().from);
            return;
        default:
            QAbstractScrollArea::keyPressEvent(event);
    }
}

void HolderLanesView::mousePressEvent(QMouseEvent* event) {
    if (const int lane = lane_at(event->pos().y()); lane >= 0) select(lane);
}

void HolderLanesView::mouseReleaseEvent(QMouseEvent* event) {
    const int x = event->pos().x();
    if (event->button() == Qt::LeftButton && lane_at(event->pos().y()) >= 0 &&
        x >= track().left() && x <= track().right())
        Q_EMIT moment_wanted(time_at(x));
}

bool HolderLanesView::viewportEvent(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QAbstractScrollArea::viewportEvent(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int lane = lane_at(help->pos().y());
    if (lane >= 0)
        QToolTip::showText(help->globalPos(), tooltip_text(sentence(lane)), this);
    else
        QToolTip::hideText();
    return true;
}

}  // namespace snakepit::shm::ui
