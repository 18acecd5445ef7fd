// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "base/error.h"

class QLabel;
class QLineEdit;
class QVBoxLayout;

namespace snakepit::shm::ui {

class ElidedLabel;

// The line that filters a page's table, with how much it lets through behind it, and why it cannot
// be understood beside it. Ctrl+F leads to it and Esc clears it, wherever on the page one is.
class FilterLine : public QWidget {
    Q_OBJECT
  public:
    FilterLine(const QString& name, const QString& example, QWidget* parent = nullptr);
    void set_text(const QString& text);
    void show_problem(const Error* problem);  // null: it is understood
    void show_counts(std::size_t shown, std::size_t total);
    void add_below(QWidget* widget);

  Q_SIGNALS:
    void edited(const QString& text);

  private:
    QLineEdit* line_;
    QLabel* badge_;
    ElidedLabel* problem_;
    QVBoxLayout* column_;
};

// The filter above what it filters.
QWidget* below(FilterLine* filter, QWidget* filtered);

}  // namespace snakepit::shm::ui
