// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

#include "base/time.h"

class QComboBox;
class QDateTimeEdit;
class QProgressBar;
class QSlider;
class QToolButton;

namespace snakepit::shm::ui {

class ElidedLabel;
class TimeTravel;
class Workspace;

// Below all pages: the moment that is shown, from the first record up to now. The slider, the time
// with its calendar and the buttons choose another one; both ends and the step say how far.
class TimeLine : public QFrame {
    Q_OBJECT
  public:
    TimeLine(Workspace& workspace, TimeTravel& travel, QWidget* parent = nullptr);

    QSize minimumSizeHint() const override;

  protected:
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void build_slider();
    void build_time();
    void build_step();
    void show_state();
    void show_range();
    void show_period();
    void set_step();
    void slide(int seconds);
    std::int64_t step_micros() const;

    Workspace& workspace_;
    TimeTravel& travel_;
    QToolButton *back_, *forward_, *live_;
    QToolButton* period_;  // what the window is limited to; a click ends that
    QComboBox* step_;
    QDateTimeEdit* time_;
    QSlider* slider_;
    ElidedLabel* first_;  // the first record, or why a moment cannot be shown
    QProgressBar* busy_;
    int seconds_ = 0;  // since the reach was asked for
};

}  // namespace snakepit::shm::ui
