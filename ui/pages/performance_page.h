// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "ui/models/sources.h"
#include "ui/pages/page.h"

class QLabel;
class QSplitter;
class QStackedWidget;
class QTableWidget;

namespace snakepit::shm::ui {

class Card;
class ChoiceRow;
class EmptyState;
class HistogramView;
class OperationModel;
class PercentileGraph;
class TableView;

// How long operations take, and how that is distributed; what could be better; who takes what.
class PerformancePage : public Page {
    Q_OBJECT
  public:
    explicit PerformancePage(Workspace& workspace, QWidget* parent = nullptr);
    void choose(layout::Timed what);

  Q_SIGNALS:
    void reported();

  protected:
    void on_shown() override;
    void resizeEvent(QResizeEvent* event) override;  // two columns, or one where it is narrow

  private:
    QWidget* build_operations();
    QWidget* build_distribution();
    QWidget* build_over_time();
    QWidget* build_report();
    void on_second();
    void refresh();
    void show_operation();
    void ask_report();
    void receive_report(Result<PerformanceReport> report);
    void show_report();
    void show_tenants(const std::vector<Tenant>& tenants);
    layout::Timed operation() const;

    OperationModel* model_;
    TableView* table_;
    std::array<QSplitter*, 2> rows_{};
    ChoiceRow *stretch_, *subject_;
    Card *distribution_card_, *time_card_;
    HistogramView* histogram_;
    QStackedWidget *histogram_stack_, *report_stack_;
    EmptyState *histogram_empty_, *report_empty_;
    PercentileGraph* graph_;
    QLabel* advice_;
    QTableWidget* tenants_;
    PerformanceReport report_;
    QString problem_;
    bool asking_ = false, asked_ = false;
    int seconds_ = 0;
};

}  // namespace snakepit::shm::ui
