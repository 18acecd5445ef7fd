// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>

class QButtonGroup;

namespace snakepit::shm::ui {

// One of a few, side by side.
class ChoiceRow : public QWidget {
    Q_OBJECT
  public:
    explicit ChoiceRow(const QStringList& names, QWidget* parent = nullptr);
    int current() const;
    void choose(int index);
    void set_name(int index, const QString& name);

  Q_SIGNALS:
    void chosen(int index);

  private:
    QButtonGroup* buttons_;
};

}  // namespace snakepit::shm::ui
