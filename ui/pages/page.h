// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QHBoxLayout;
class QVBoxLayout;
class QLabel;

namespace snakepit::shm::ui {

// A page of the window: a title line with actions at the right, and a body. Pages that are not seen
// do nothing; they catch up when they are shown.
class Page : public QWidget {
    Q_OBJECT
  public:
    Page(const QString& title, const QString& subtitle, QWidget* parent = nullptr);

    // To its main widget, or to the page itself while that is hidden.
    void take_focus();

  protected:
    void set_main(QWidget* main) { main_ = main; }
    QVBoxLayout* body() { return body_; }
    void add_action(QWidget* action);
    void set_subtitle(const QString& text);

  private:
    QHBoxLayout* actions_;
    QVBoxLayout* body_;
    QLabel* subtitle_;
    QWidget* main_ = nullptr;
};

}  // namespace snakepit::shm::ui
