// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QPushButton>

#include "base/result.h"
#include "ui/dialogs/small_table.h"
#include "ui/models/workspace.h"

class QHBoxLayout;
class QLabel;
class QTableWidget;
class QVBoxLayout;

namespace snakepit::shm::ui {

class CommandText;

// What the dialogs that change something have in common: a heading, a table of targets, the
// equivalent command line, a message and the buttons.
class TaskDialog : public QDialog {
    Q_OBJECT
  public:
    TaskDialog(Workspace& workspace, const QString& title, const QString& text, QWidget* parent);

  Q_SIGNALS:
    void finished_run();  // whether it succeeded or not

  protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    // Escape and the window's own button: they lose no changes without a word.
    void reject() override;
    virtual bool has_changes() const { return false; }
    // So wide, and as tall as its words then need; it grows when there are more.
    void fit(int width);
    QVBoxLayout* body() { return body_; }
    QTableWidget* add_table(Headings headings);
    void add_command_line();
    void set_command(const QString& command);
    void set_message(const QString& text, Severity severity);
    // Accepts what is done; otherwise says what went wrong, and `again` may be pressed once more.
    void close_or_say(const Status& done, QPushButton* again);
    QPushButton* add_action(QPushButton* button);
    template <typename Receiver, typename Slot>
    QPushButton* add_action(QPushButton* button, Receiver* receiver, Slot slot) {
        connect(button, &QPushButton::clicked, receiver, slot);
        return add_action(button);
    }
    // Runs `job` on the monitoring port; closes the dialog when it is done, see close_or_say().
    template <typename Job>
    void run_and_close(QPushButton* button, Job job) {
        button->setEnabled(false);
        workspace_.monitor(this, std::move(job), [this, button](const Status& done) {
            Q_EMIT finished_run();
            close_or_say(done, button);
        });
    }
    QPushButton* closer() { return close_; }

    Workspace& workspace_;

  private:
    QSize room(int width, int height) const;

    QVBoxLayout* body_;
    QHBoxLayout* buttons_;
    QLabel* message_;
    CommandText* command_ = nullptr;
    QPushButton* close_;
    bool fits_ = false;
    bool warned_ = false;  // that changes are lost
};

}  // namespace snakepit::shm::ui
