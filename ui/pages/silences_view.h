// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/pages/asked_table.h"

namespace snakepit::shm::ui {

class SilenceModel;

// Silences: what, for how long and why; they can be ended.
class SilencesView : public AskedTable {
    Q_OBJECT
  public:
    explicit SilencesView(Workspace& workspace, QWidget* parent = nullptr);
    void refresh();  // asks for them

  Q_SIGNALS:
    void ended();

  private:
    void show_selection() override;
    void end_selected();
    void receive(Result<std::vector<AlertSilence>> silences);
    std::vector<std::uint64_t> selected() const;

    SilenceModel* model_;
    QPushButton* end_;
};

}  // namespace snakepit::shm::ui
