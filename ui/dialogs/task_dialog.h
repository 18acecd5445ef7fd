// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QList>
#include <QStringList>

#include "base/result.h"
#include "ui/dialogs/small_table.h"
#include "ui/models/tone.h"

class QHBoxLayout;
class QLabel;
class QPushButton;
class QTableWidget;
class QVBoxLayout;

namespace snakepit::shm::ui {

// What the dialogs that change something have in common: a heading, a table of targets, the
// equivalent command line, a message and the buttons.
class TaskDialog : public QDialog {
    Q_OBJECT
  public:
    TaskDialog(const QString& title, const QString& text, QWidget* parent);

  protected:
    bool event(QEvent* event) override;
    // So wide, and as tall as its words then need; it grows when there are more.
    void fit(int width);
    QVBoxLayout* body() { return body_; }
    QTableWidget* add_table(const QStringList& headers);
    void add_command_line();
    void set_command(const QString& command);
    void set_message(const QString& text, Tone tone);
    // Accepts what is done; otherwise says what went wrong, and `again` may be pressed once more.
    void close_or_say(const Status& done, QPushButton* again);
    QPushButton* add_action(QPushButton* button);
    QPushButton* closer() { return close_; }

  private:
    QVBoxLayout* body_;
    QHBoxLayout* buttons_;
    QLabel* message_;
    QLabel* command_ = nullptr;
    QPushButton* close_;
    bool fits_ = false;
};

}  // namespace snakepit::shm::ui
