// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>
#include <QByteArray>
#include <QElapsedTimer>
#include <cstdint>
#include <map>

namespace snakepit::shm::ui {

// Bytes in lines of sixteen: offset, hexadecimal digits, text. Only what is in sight is in memory:
// `wanted` asks for it. Bytes that changed since they were seen last are marked for a while. A
// cursor and a selection, by mouse and by keyboard. GUI thread.
class HexView : public QAbstractScrollArea {
    Q_OBJECT
  public:
    static constexpr int kWidth = 16;  // bytes in a line

    explicit HexView(QWidget* parent = nullptr);

    void set_size(std::uint64_t bytes);  // of all
    std::uint64_t size() const { return size_; }
    void select_all() { select(0, size_); }
    // What is in sight: where it begins, and how many bytes.
    std::uint64_t first() const { return first_line_ * kWidth; }
    std::size_t count() const;
    // They are what is there now, from `offset` on.
    void show_bytes(std::uint64_t offset, const QByteArray& bytes);

    std::uint64_t cursor() const { return cursor_; }
    void set_cursor(std::uint64_t offset, bool extend = false);  // scrolls there
    // Selects bytes from `offset` on, and puts the cursor to the first.
    void select(std::uint64_t offset, std::uint64_t count);
    // First byte and number of the selection; at least the byte under the cursor.
    std::pair<std::uint64_t, std::uint64_t> selection() const;
    // Bytes in sight from the cursor on.
    QByteArray at_cursor(int most) const;
    bool changed(std::uint64_t offset) const;

    QSize sizeHint() const override;

  Q_SIGNALS:
    void wanted();        // other bytes are in sight
    void cursor_moved();  // or the selection

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void changeEvent(QEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;

  private:
    struct Columns {
        int character, line;   // sizes
        int hex, text, width;  // where they begin, and where all ends
    };
    Columns columns() const;
    std::uint64_t lines() const { return (size_ + kWidth - 1) / kWidth; }
    int lines_in_sight() const;
    void place_scroll_bar();
    void show_line(std::uint64_t line);
    std::uint64_t offset_at(const QPoint& point) const;
    void paint_line(QPainter& painter, const Columns& at, std::uint64_t line, int top) const;
    void move_by(std::int64_t bytes, bool extend);
    void forget_old_marks();
    void tell_cursor();

    std::uint64_t size_ = 0, first_line_ = 0, cursor_ = 0, anchor_ = 0;
    std::uint64_t shown_from_ = 0;
    QByteArray shown_;                       // from shown_from_ on
    std::map<std::uint64_t, qint64> marks_;  // changed bytes: when they were seen to be
    QElapsedTimer clock_;
    bool scrolling_ = false;
};

}  // namespace snakepit::shm::ui
