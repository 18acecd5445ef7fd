// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>

#include "events/holder_lanes.h"

namespace snakepit::shm::ui {

// A lane for each process that held a region: a bar from when to when, those that still hold
// first. Read-only holds are thinner; what is not known to its end is hatched. A click or Return
// leads to the moment. GUI thread.
class HolderLanesView : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit HolderLanesView(QWidget* parent = nullptr);

    // `until`: the right end, now or the moment that is shown.
    void show_lanes(HolderLanes lanes, Timestamp until);
    void set_until(Timestamp until);
    const HolderLanes& lanes() const { return lanes_; }
    // Why there is none; shown in their place.
    void set_empty_text(const QString& text);
    int selected() const { return selected_; }  // -1: none
    // What a lane is, in a sentence.
    QString sentence(int lane) const;
    // The left end of what is drawn.
    Timestamp from() const;

  Q_SIGNALS:
    void moment_wanted(Timestamp moment);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    bool viewportEvent(QEvent* event) override;

  private:
    QRect track() const;  // of the bars, in one line
    int x_of(Timestamp time) const;
    Timestamp time_at(int x) const;
    int lane_at(int y) const;  // -1: none
    QString name_of(const HolderLane& lane) const;
    int ticks(const QFontMetrics& metrics) const;
    Timestamp tick_time(int tick, int count) const;
    void paint_grid(QPainter& painter) const;
    void paint_axis(QPainter& painter) const;
    void paint_lane(QPainter& painter, const HolderLane& lane, const QRect& line,
                    bool selected) const;
    void select(int lane);
    void place_scroll_bar();
    void describe();

    HolderLanes lanes_;
    Timestamp until_;
    QString empty_;
    int selected_ = -1;
};

}  // namespace snakepit::shm::ui
