// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/hex_view.h"

#include <QApplication>
#include <QFontDatabase>
#include <QKeyEvent>
#include <QPainter>
#include <QScrollBar>
#include <QTimer>
#include <algorithm>
#include <limits>

#include "ui/models/byte_text.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr qint64 kMarkMillis = 2000;
constexpr int kMargin = 10;
constexpr int kLinesOfHint = 16;
// A scroll bar counts up to 2^31; a line of it may stand for several.
constexpr std::uint64_t kMostSteps = 1'000'000'000;

constexpr bool printable(char c) {
    return c >= ' ' && c <= '~';
}

}  // namespace

HexView::HexView(QWidget* parent) : QAbstractScrollArea(parent) {
    setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    viewport()->setCursor(Qt::IBeamCursor);
    setAccessibleName(tr("Bytes"));
    clock_.start();
}

HexView::Columns HexView::columns() const {
    const QFontMetrics metrics(font());
    Columns out{};
    out.character = metrics.horizontalAdvance(u'0');
    out.line = metrics.height() + 4;
    out.hex = kMargin + (offset_digits(size_) + 2) * out.character;
    // Three for each byte, and a gap after eight.
    out.text = out.hex + (3 * kWidth + 2) * out.character;
    out.width = out.text + kWidth * out.character + kMargin;
    return out;
}

QSize HexView::sizeHint() const {
    const auto at = columns();
    return {at.width + verticalScrollBar()->sizeHint().width() + 2 * frameWidth(),
            kLinesOfHint * at.line + 2 * kMargin};
}

int HexView::lines_in_sight() const {
    return std::max(1, (viewport()->height() - kMargin) / columns().line);
}

std::size_t HexView::count() const {
    const auto most = static_cast<std::uint64_t>(lines_in_sight() + 1) * kWidth;
    return static_cast<std::size_t>(std::min(most, size_ - std::min(size_, first())));
}

void HexView::set_size(std::uint64_t bytes) {
    size_ = bytes;
    cursor_ = std::min(cursor_, size_ == 0 ? 0 : size_ - 1);
    anchor_ = std::min(anchor_, cursor_);
    updateGeometry();
    place_scroll_bar();
    viewport()->update();
}

void HexView::place_scroll_bar() {
    const auto visible = static_cast<std::uint64_t>(lines_in_sight());
    const auto last = lines() > visible ? lines() - visible : 0;
    first_line_ = std::min(first_line_, last);
    const auto scale = last / kMostSteps + 1;
    scrolling_ = true;
    verticalScrollBar()->setRange(0, static_cast<int>(last / scale));
    verticalScrollBar()->setPageStep(lines_in_sight());
    verticalScrollBar()->setValue(static_cast<int>(first_line_ / scale));
    horizontalScrollBar()->setRange(0, std::max(0, columns().width - viewport()->width()));
    horizontalScrollBar()->setPageStep(viewport()->width());
    scrolling_ = false;
}

void HexView::scrollContentsBy(int /*dx*/, int dy) {
    if (scrolling_) return;
    viewport()->update();
    if (dy == 0) return;
    const auto visible = static_cast<std::uint64_t>(lines_in_sight());
    const auto last = lines() > visible ? lines() - visible : 0;
    const auto scale = last / kMostSteps + 1;
    show_line(static_cast<std::uint64_t>(verticalScrollBar()->value()) * scale);
}

void HexView::show_line(std::uint64_t line) {
    const auto before = first_line_;
    first_line_ = line;
    place_scroll_bar();
    viewport()->update();
    if (before != first_line_) Q_EMIT wanted();
}

void HexView::show_bytes(std::uint64_t offset, const QByteArray& bytes) {
    const auto now = clock_.elapsed();
    forget_old_marks();
    for (qsizetype i = 0; i < bytes.size(); ++i) {
        const auto at = offset + static_cast<std::uint64_t>(i);
        if (at < shown_from_ || at >= shown_from_ + static_cast<std::uint64_t>(shown_.size()))
            continue;
        if (shown_[static_cast<qsizetype>(at - shown_from_)] != bytes[i]) marks_[at] = now;
    }
    shown_from_ = offset;
    shown_ = bytes;
    viewport()->update();
    if (!marks_.empty())  // they end also when nobody looks again
        QTimer::singleShot(kMarkMillis + 1, viewport(), qOverload<>(&QWidget::update));
    tell_cursor();  // what is under it may be another value
}

void HexView::forget_old_marks() {
    const auto now = clock_.elapsed();
    std::erase_if(marks_, [now](const auto& mark) { return now - mark.second > kMarkMillis; });
}

bool HexView::changed(std::uint64_t offset) const {
    const auto found = marks_.find(offset);
    return found != marks_.end() && clock_.elapsed() - found->second <= kMarkMillis;
}

void HexView::set_cursor(std::uint64_t offset, bool extend) {
    cursor_ = std::min(offset, size_ == 0 ? 0 : size_ - 1);
    if (!extend) anchor_ = cursor_;
    const auto line = cursor_ / kWidth;
    const auto visible = static_cast<std::uint64_t>(lines_in_sight());
    if (line < first_line_)
        show_line(line);
    else if (line >= first_line_ + visible)
        show_line(line - visible + 1);
    viewport()->update();
    tell_cursor();
}

// Screen readers hear the byte under the cursor.
void HexView::tell_cursor() {
    const auto byte = at_cursor(1);
    setAccessibleDescription(tr("Offset 0x%1: %2")
                                 .arg(cursor_, 0, 16)
                                 .arg(byte.isEmpty() ? tr("not read yet") : hex_text(byte)));
    Q_EMIT cursor_moved();
}

void HexView::select(std::uint64_t offset, std::uint64_t count) {
    const auto last = std::min(offset + std::max<std::uint64_t>(count, 1), size_) - 1;
    set_cursor(last);
    anchor_ = last;
    set_cursor(offset, true);
}

std::pair<std::uint64_t, std::uint64_t> HexView::selection() const {
    const auto begin = std::min(cursor_, anchor_), end = std::max(cursor_, anchor_);
    return {begin, size_ == 0 ? 0 : end - begin + 1};
}

QByteArray HexView::at_cursor(int most) const {
    if (cursor_ < shown_from_) return {};
    return shown_.mid(static_cast<qsizetype>(cursor_ - shown_from_), most);
}

void HexView::move_by(std::int64_t bytes, bool extend) {
    const auto last = static_cast<std::int64_t>(size_ == 0 ? 0 : size_ - 1);
    const auto wanted =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(cursor_) + bytes, 0, last);
    set_cursor(static_cast<std::uint64_t>(wanted), extend);
}

void HexView::keyPressEvent(QKeyEvent* event) {
    const bool extend = event->modifiers() & Qt::ShiftModifier;
    const bool all = event->modifiers() & Qt::ControlModifier;
    const auto page = std::int64_t{kWidth} * lines_in_sight();
    const auto in_line = static_cast<std::int64_t>(cursor_ % kWidth);
    constexpr auto kAll = std::numeric_limits<std::int64_t>::max() / 2;
    switch (event->key()) {
        case Qt::Key_Left:
            return move_by(-1, extend);
        case Qt::Key_Right:
            return move_by(1, extend);
        case Qt::Key_Up:
            return move_by(-kWidth, extend);
        case Qt::Key_Down:
            return move_by(kWidth, extend);
        case Qt::Key_PageUp:
            return move_by(-page, extend);
        case Qt::Key_PageDown:
            return move_by(page, extend);
        case Qt::Key_Home:
            return move_by(all ? -kAll : -in_line, extend);
        case Qt::Key_End:
            return move_by(all ? kAll : kWidth - 1 - in_line, extend);
        default:
            QAbstractScrollArea::keyPressEvent(event);
    }
}

// The byte under the point, in digits or in text; the nearest one otherwise.
std::uint64_t HexView::offset_at(const QPoint& point) const {
    const auto at = columns();
    const auto line = static_cast<std::uint64_t>(std::max(0, point.y() - kMargin / 2) / at.line);
    const int x = point.x() + horizontalScrollBar()->value();
    int column = 0;
    if (x >= at.text) {
        column = (x - at.text) / at.character;
    } else {
        const int cell = (x - at.hex) / at.character;
        column = (cell > 3 * kWidth / 2 ? cell - 1 : cell) / 3;
    }
    const auto offset = (first_line_ + line) * kWidth +
                        static_cast<std::uint64_t>(std::clamp(column, 0, kWidth - 1));
    return std::min(offset, size_ == 0 ? 0 : size_ - 1);
}

void HexView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    set_cursor(offset_at(event->pos()), event->modifiers() & Qt::ShiftModifier);
}

void HexView::mouseMoveEvent(QMouseEvent* event) {
    if (event->buttons() & Qt::LeftButton) set_cursor(offset_at(event->pos()), true);
}

void HexView::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    place_scroll_bar();
    Q_EMIT wanted();
}

void HexView::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange) place_scroll_bar();
}

void HexView::paint_line(QPainter& painter, const Columns& at, std::uint64_t line, int top) const {
    const auto begin = line * kWidth;
    const auto [selected, selected_count] = selection();
    const auto& colour = colours();
    const int base = top + at.line - 6;
    painter.setPen(colour.muted);
    painter.drawText(kMargin, base, offset_text(begin, offset_digits(size_)));
    for (int i = 0; i < kWidth; ++i) {
        const auto offset = begin + static_cast<std::uint64_t>(i);
        if (offset >= size_) return;
        const int hex = at.hex + (3 * i + (i >= kWidth / 2 ? 1 : 0)) * at.character;
        const int text = at.text + i * at.character;
        const bool is_selected = offset >= selected && offset < selected + selected_count;
        if (is_selected) {
            const auto ground = colour.severity(Severity::info).fill;
            painter.fillRect(hex - at.character / 2, top, 3 * at.character, at.line, ground);
            painter.fillRect(text, top, at.character, at.line, ground);
        }
        const auto place = static_cast<qsizetype>(offset - shown_from_);
        if (offset < shown_from_ || place >= shown_.size()) continue;
        const char byte = shown_[place];
        const bool is_changed = changed(offset);
        const auto bright = is_changed ? colour.severity(Severity::caution).text : colour.text;
        painter.setPen(byte == 0 && !is_changed ? colour.muted : bright);
        painter.drawText(hex, base,
                         u"%1"_s.arg(static_cast<unsigned char>(byte), 2, 16, QChar(u'0')));
        if (is_changed) painter.fillRect(hex, top + at.line - 3, 2 * at.character, 2, bright);
        painter.setPen(printable(byte) ? bright : colour.muted);
        painter.drawText(text, base, QString(QLatin1Char(printable(byte) ? byte : '.')));
        if (offset == cursor_ && hasFocus()) {
            painter.setPen(colour.accent);
            painter.drawRect(hex - 3, top, 2 * at.character + 5, at.line - 1);
        }
    }
}

void HexView::paintEvent(QPaintEvent* /*event*/) {
    QPainter painter(viewport());
    painter.setFont(font());
    painter.translate(-horizontalScrollBar()->value(), 0);
    const auto at = columns();
    const auto shown = static_cast<std::uint64_t>(lines_in_sight() + 1);
    for (std::uint64_t i = 0; i < shown && first_line_ + i < lines(); ++i)
        paint_line(painter, at, first_line_ + i, kMargin / 2 + static_cast<int>(i) * at.line);
}

}  // namespace snakepit::shm::ui
