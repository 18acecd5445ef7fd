// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/performance_page.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/dialogs/small_table.h"
#include "ui/graphs/histogram_view.h"
#include "ui/graphs/percentile_graph.h"
#include "ui/models/format.h"
#include "ui/models/operation_model.h"
#include "ui/models/workspace.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/split.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kReportSeconds = 5;
enum Stretch { kLastMinute, kSinceStart };
enum Subject { kAdvice, kUsers, kSessions, kWorkers };
enum TenantColumn { kName, kRegions, kBytes, kReferences, kAllocations };

QString advice_html(const Advice& advice) {
    auto evidence = QString::fromStdString(advice.evidence).toHtmlEscaped();
    if (advice.bytes > 0)
        evidence += QStringLiteral(" <b>%1</b>")
                        .arg(PerformancePage::tr("Gives back %1.").arg(size_text(advice.bytes)));
    return QStringLiteral(
               "<p style='margin: 0 0 3px 0'><b>%1</b></p>"
               "<p style='margin: 0 0 16px 0; color: %3'>%2</p>")
        .arg(QString::fromStdString(advice.advice).toHtmlEscaped(), evidence,
             colours().muted.name());
}

}  // namespace

PerformancePage::PerformancePage(Workspace& workspace, QWidget* parent)
    : Page(tr("Performance"), tr("How long operations take, and what could be better"), parent),
      workspace_(workspace),
      model_(new OperationModel(this)),
      table_(new TableView(QStringLiteral("operations"))) {
    const QList<int> widths{560, 640};
    auto* above = make_split(Qt::Horizontal, {build_operations(), build_distribution()}, widths);
    auto* below = make_split(Qt::Horizontal, {build_over_time(), build_report()}, widths);
    body()->addWidget(make_split(Qt::Vertical, {above, below}, {340, 380}), 1);
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible()) second();
    });
    connect(&Theme::instance(), &Theme::changed, this, &PerformancePage::show_report);
    set_main(table_);
    table_->selectRow(0);
    show_report();
}

QWidget* PerformancePage::build_operations() {
    stretch_ = new ChoiceRow({tr("Last minute"), tr("Since start")});
    if (workspace_.bundle()) {  // nobody watched the minute before it was made
        stretch_->choose(kSinceStart);
        stretch_->hide();
    }
    connect(stretch_, &ChoiceRow::chosen, this, &PerformancePage::refresh);
    table_->setModel(model_);
    table_->set_default_columns({kOperationName, kOperationCount, kOperationP50, kOperationP90,
                                 kOperationP99, kOperationP999},
                                {124, 92, 78, 78, 78, 78});
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->setAccessibleName(tr("Operations"));
    table_->restore_layout();
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &PerformancePage::show_operation);
    auto* card = new Card(tr("Operations"));
    card->add_action(stretch_);
    if (workspace_.bundle()) card->set_note(tr("since start"));
    card->body()->addWidget(table_);
    return card;
}

QWidget* PerformancePage::build_distribution() {
    distribution_card_ = new Card(tr("Distribution"));
    histogram_ = new HistogramView;
    histogram_->setAccessibleName(tr("Distribution"));
    histogram_empty_ = new EmptyState(QStringLiteral("performance"), {}, {});
    auto* framed = new QWidget;
    auto* frame = new QVBoxLayout(framed);
    frame->setContentsMargins(8, 4, 8, 8);
    frame->addWidget(histogram_);
    histogram_stack_ = new QStackedWidget;
    histogram_stack_->addWidget(framed);
    histogram_stack_->addWidget(histogram_empty_);
    distribution_card_->body()->addWidget(histogram_stack_);
    return distribution_card_;
}

QWidget* PerformancePage::build_over_time() {
    time_card_ = new Card(tr("Over time"));
    time_card_->set_note(tr("each point: the ten seconds before it"));
    graph_ = new PercentileGraph(workspace_);
    time_card_->body()->addWidget(graph_);
    return time_card_;
}

QWidget* PerformancePage::build_report() {
    subject_ = new ChoiceRow({tr("Advice"), tr("Users"), tr("Sessions"), tr("Workers")});
    connect(subject_, &ChoiceRow::chosen, this, &PerformancePage::show_report);
    advice_ = make_words("content");
    advice_->setTextFormat(Qt::RichText);
    advice_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    advice_->setContentsMargins(16, 8, 16, 8);
    advice_->setAccessibleName(tr("Advice"));
    auto* scroll = new QScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->viewport()->setAutoFillBackground(false);
    scroll->setWidget(advice_);
    tenants_ =
        make_table({tr("Name"), tr("Regions"), tr("Memory"), tr("References"), tr("Allocated")},
                   tr("Who takes what"));
    for (const int column : {kRegions, kBytes, kReferences, kAllocations})
        tenants_->setColumnWidth(column, 92);
    tenants_->horizontalHeader()->setStretchLastSection(false);
    tenants_->horizontalHeader()->setSectionResizeMode(kName, QHeaderView::Stretch);
    report_empty_ = new EmptyState(QStringLiteral("performance"), {}, {});
    report_stack_ = new QStackedWidget;
    report_stack_->addWidget(scroll);
    report_stack_->addWidget(tenants_);
    report_stack_->addWidget(report_empty_);
    report_card_ = new Card(tr("Insight"));
    report_card_->add_action(subject_);
    report_card_->body()->addWidget(report_stack_);
    return report_card_;
}

void PerformancePage::showEvent(QShowEvent* event) {
    Page::showEvent(event);
    refresh();
    ask_report();
}

void PerformancePage::second() {
    refresh();
    if (++seconds_ % kReportSeconds == 0) ask_report();
}

layout::Timed PerformancePage::operation() const {
    const auto rows = table_->selected_rows();
    return static_cast<layout::Timed>(rows.isEmpty() ? 0 : rows.front());
}

void PerformancePage::choose(layout::Timed what) {
    table_->selectRow(static_cast<int>(what));
}

void PerformancePage::refresh() {
    Timings timings;
    const auto& history = workspace_.timings();
    for (std::size_t i = 0; i < layout::kTimed; ++i) {
        const auto what = static_cast<layout::Timed>(i);
        timings[i] = stretch_->current() == kLastMinute ? history.last_minute(what)
                                                        : history.since_start(what);
    }
    model_->show(timings);
    show_operation();
}

void PerformancePage::show_operation() {
    const auto what = operation();
    const auto title = operation_title(what);
    const auto& histogram = model_->histogram(static_cast<int>(what));
    distribution_card_->set_title(tr("Distribution of %1").arg(title.toLower()));
    distribution_card_->set_note(histogram.count == 0
                                     ? QString()
                                     : tr("%1, mean %2")
                                           .arg(tr("%1 timed").arg(count_text(histogram.count)),
                                                nanos_text(static_cast<double>(histogram.sum) /
                                                           static_cast<double>(histogram.count))));
    time_card_->set_title(tr("%1 over time").arg(title));
    graph_->watch(what);
    histogram_->show_histogram(histogram);
    histogram_stack_->setCurrentIndex(histogram.count > 0 ? 0 : 1);
    if (workspace_.bundle() && !workspace_.timings().known())
        histogram_empty_->set_text(workspace_.unknown_title({}),
                                   tr("The bundle has no registry, which counts them."));
    else
        histogram_empty_->set_text(stretch_->current() == kLastMinute
                                       ? tr("Nothing timed in the last minute")
                                       : tr("Nothing timed yet"),
                                   operation_note(what));
}

void PerformancePage::ask_report() {
    const bool settled = workspace_.bundle() && asked_;
    if (asking_ || settled || !workspace_.has_monitoring()) return;
    asking_ = true;
    workspace_.monitor(
        this, [](MonitoringPort& port) { return port.performance(); },
        [this](Result<PerformanceReport> report) {
            asking_ = false;
            take_report(std::move(report));
        });
}

void PerformancePage::take_report(Result<PerformanceReport> report) {
    asked_ = true;
    problem_ = report ? QString() : error_text(report.error());
    if (report) report_ = std::move(*report);
    show_report();
    Q_EMIT reported();
}

void PerformancePage::show_report() {
    const auto subject = subject_->current();
    const auto& tenants = subject == kUsers      ? report_.users
                          : subject == kSessions ? report_.sessions
                                                 : report_.workers;
    const bool empty = subject == kAdvice ? report_.advice.empty() : tenants.empty();
    if (empty) {
        if (!problem_.isEmpty())
            report_empty_->set_text(workspace_.unknown_title(tr("The report cannot be asked for")),
                                    problem_);
        else if (!asked_)
            report_empty_->set_text(tr("Not known yet"), {});
        else if (subject == kAdvice)
            report_empty_->set_text(tr("Nothing to recommend"),
                                    tr("Advice follows from use, with the figures it rests on. "
                                       "What has been seen so far is as it should be."));
        else
            report_empty_->set_text(tr("Nobody shares anything"),
                                    tr("What users, sessions and workers take is listed here."));
        report_stack_->setCurrentWidget(report_empty_);
        return;
    }
    if (subject != kAdvice) {
        show_tenants(tenants);
        report_stack_->setCurrentWidget(tenants_);
        return;
    }
    QString html;
    for (const auto& advice : report_.advice) html += advice_html(advice);
    say(advice_, html);
    report_stack_->setCurrentIndex(0);
}

void PerformancePage::show_tenants(const std::vector<Tenant>& tenants) {
    tenants_->setRowCount(static_cast<int>(tenants.size()));
    int row = 0;
    for (const auto& tenant : tenants) {
        set_cell(tenants_, row, kName,
                 tenant.name.empty() ? tr("unnamed") : QString::fromStdString(tenant.name));
        set_cell(tenants_, row, kRegions, count_text(tenant.regions), Tone::none, true);
        set_cell(tenants_, row, kBytes, size_text(tenant.bytes), Tone::none, true);
        set_cell(tenants_, row, kReferences, count_text(tenant.references), Tone::none, true);
        set_cell(tenants_, row++, kAllocations, count_text(tenant.allocations), Tone::none, true);
    }
}

}  // namespace snakepit::shm::ui
