// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "ui/models/configuration.h"
#include "ui/pages/page.h"

class QLabel;
class QLineEdit;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class CommandText;
class ConfigurationModel;
class EmptyState;
class TableView;

// The settings of the manager: every key with its meaning, where its value is from, and what is in
// effect. Changes are written to the file and applied; the last one can be undone.
class ConfigurationPage : public Page {
    Q_OBJECT
  public:
    explicit ConfigurationPage(Workspace& workspace, QWidget* parent = nullptr);

  Q_SIGNALS:
    void loaded();

  protected:
    void on_shown() override { refresh(); }

  private:
    struct Undo {
        Setting before;
        QJsonValue now;  // only as long as it has this value
    };
    const Setting* selected() const;
    void refresh();
    void receive(Result<Configuration> configuration);
    void show_selection();
    void show_rows();
    void change();
    void note(const Setting& before, const SettingChange& change);
    void undo();

    ConfigurationModel* model_;
    TableView* table_;
    QLineEdit* words_;
    EmptyState* empty_;
    QStackedWidget* stack_;
    QPushButton *change_, *undo_;
    QLabel* note_;
    Configuration configuration_;
    std::optional<Undo> undo_change_;
    bool asking_ = false;
};

}  // namespace snakepit::shm::ui
