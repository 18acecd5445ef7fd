// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QHBoxLayout;
class QVBoxLayout;

namespace snakepit::shm::ui {

class ElidedLabel;
class Workspace;

// A page of the window: a title line with actions at the right, and a body. Pages that are not seen
// do nothing; they catch up when they are shown.
class Page : public QWidget {
    Q_OBJECT
  public:
    Page(Workspace& workspace, const QString& title, const QString& subtitle, QWidget* parent);

    // To its main widget, or to the page itself while that is hidden.
    void take_focus();

  protected:
    virtual void on_shown() {}
    void showEvent(QShowEvent* event) override {
        QWidget::showEvent(event);
        on_shown();
    }
    void set_main(QWidget* main) { main_ = main; }
    QVBoxLayout* body() { return body_; }
    void add_actions(std::initializer_list<QWidget*> actions);
    void set_subtitle(const QString& text);
    // Disabled, with the reason, while nothing can be changed.
    void guard(QWidget* action);

    Workspace& workspace_;

  private:
    QHBoxLayout* actions_;
    QVBoxLayout* body_;
    ElidedLabel* subtitle_;
    QWidget* main_ = nullptr;
};

}  // namespace snakepit::shm::ui
