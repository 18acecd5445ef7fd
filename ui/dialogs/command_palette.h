// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QPointer>
#include <vector>

class QLineEdit;
class QTreeWidget;

namespace snakepit::shm::ui {

// Everything that can be done in a window now, by name, with its key: the buttons and fields that
// are visible in it. Those that are disabled are listed too, and say why.
class CommandPalette : public QDialog {
    Q_OBJECT
  public:
    explicit CommandPalette(QWidget& window);

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    struct Command {
        QString name, key;
        QString reason;  // why it is disabled, if that is known: the tooltip
        bool enabled = true;
        QPointer<QWidget> target;
    };
    static std::vector<Command> commands_in(const QWidget& window);
    void show_matching(const QString& words);
    void run();

    std::vector<Command> commands_;
    QLineEdit* words_;
    QTreeWidget* list_;
};

}  // namespace snakepit::shm::ui
