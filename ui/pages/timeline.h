// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "ui/models/severity.h"

namespace snakepit::shm::ui {

// Steps one under the other, joined by a line: what happened, when, and what is still to come.
class Timeline : public QWidget {
    Q_OBJECT
  public:
    struct Step {
        QString title, when, note;
        Severity severity = Severity::neutral;
        bool reached = false;
        friend bool operator==(const Step&, const Step&) = default;
    };
    explicit Timeline(QWidget* parent = nullptr);
    void set_steps(std::vector<Step> steps);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    int height_of(const Step& step) const;
    std::vector<Step> steps_;
};

}  // namespace snakepit::shm::ui
