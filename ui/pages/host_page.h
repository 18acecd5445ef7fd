// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>

#include "host_history/history_reader.h"
#include "survey/host_survey.h"
#include "ui/pages/page.h"

class QLabel;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class EmptyState;
class FigureCard;
class FilterLine;
class Card;
class ChoiceRow;
class HostDetails;
class HostGraph;
class HostModel;
class HostTotalsView;
class TableView;

// Every segment of shared memory on the host, by any program: ours, POSIX, System V and memfd side
// by side, and what was left behind.
class HostPage : public Page {
    Q_OBJECT
  public:
    explicit HostPage(Workspace& workspace, QWidget* parent = nullptr);
    void set_filter_text(const QString& text);
    TableView& table() { return *table_; }

  Q_SIGNALS:
    void surveyed();

  protected:
    void on_shown() override {
        survey();
        show_state();
    }

  private:
    struct Look;
    void build_actions();
    QWidget* build_figures();
    QWidget* build_filter();
    QWidget* build_table();
    void on_second();
    void survey();
    void receive(Result<Look> look);
    void show_figures(const Look& look);
    void show_limits(const QString& text);  // what of it is not known
    void show_state();
    void show_selection();
    QWidget* build_history();
    void ask_history();
    void show_history(const Result<std::vector<HostSeries>>& series);
    void show_moment();
    void show_record(const Result<std::optional<HostRecord>>& record);
    void clean();
    std::vector<std::string> selected() const;

    HostModel* model_;
    TableView* table_;
    HostDetails* details_;
    EmptyState* empty_;
    HostTotalsView* totals_;
    QStackedWidget* stack_;
    FigureCard *all_, *left_over_, *in_use_, *ours_, *room_;
    FilterLine* filter_;
    QLabel* limits_;
    QPushButton* clean_;
    QString failure_;                      // why the last survey could not be made
    QElapsedTimer since_, history_since_;  // the last survey, the last history
    Timestamp at_;                         // of the survey
    bool asking_ = false, asking_history_ = false;
    HostGraph* graph_;
    EmptyState* no_history_;
    QStackedWidget* history_stack_;
    ChoiceRow* history_by_;
};

}  // namespace snakepit::shm::ui
