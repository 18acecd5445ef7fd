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
constexpr int kTwoColumnsWidth = 1070, kLeastHeight = 190;  // pixels: of the page, of each part
enum Stretch { kLastMinute, kSinceStart };
enum Subject { kAdvice, kUsers, kSessions, kWorkers };

QString advice_html(const Advice& advice) {
    auto evidence = html_text(QString::fromStdString(advice.evidence));
    if (advice.bytes > 0)
        evidence +=
            u" · <b>%1</b>"_s.arg(PerformancePage::tr("frees %1").arg(size_text(advice.bytes)));
    return u"<p style='margin: 0 0 3px 0'><b>%1</b></p>"
           u"<p style='margin: 0 0 16px 0; color: %3'>%2</p>"_s.arg(
               html_text(with_instance(QString::fromStdString(advice.advice))), evidence,
               colours().muted.name());
}

}  // namespace

PerformancePage::PerformancePage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Performance"), tr("Operation latency and recommendations"), parent),
      model_(new OperationModel(this)),
      table_(new TableView(u"operations"_s)) {
    const QList<int> widths{560, 640};
    rows_ = {make_split(Qt::Horizontal, {build_operations(), build_distribution()}, widths),
             make_split(Qt::Horizontal, {build_over_time(), build_report()}, widths)};
    for (auto* row : rows_)
        for (int i = 0; i < row->count(); ++i) row->widget(i)->setMinimumHeight(kLeastHeight);
    body()->addWidget(make_split(Qt::Vertical, {rows_[0], rows_[1]}, {340, 380}), 1);
    while_visible(this, &workspace, &Workspace::second_passed, [this] { on_second(); });
    connect(&workspace, &Workspace::moment_changed, this, [this] {
        if (isVisible()) on_shown();
        show_report();
    });
    connect(&Theme::instance(), &Theme::changed, this, &PerformancePage::show_report);
    set_main(table_);
    table_->selectRow(0);
    show_report();
}

void PerformancePage::resizeEvent(QResizeEvent* event) {
    for (auto* row : rows_)
        row->setOrientation(width() < kTwoColumnsWidth ? Qt::Vertical : Qt::Horizontal);
    Page::resizeEvent(event);
}

QWidget* PerformancePage::build_operations() {
    stretch_ = new ChoiceRow({tr("Last minute"), tr("Since start")});
    if (workspace_.bundle()) {  // nobody watched the minute before it was made
        stretch_->choose(kSinceStart);
        stretch_->hide();
    }
    connect(stretch_, &ChoiceRow::chosen, this, &PerformancePage::refresh);
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->set_up(model_, tr("Operations"),
                   {kOperationName, kOperationCount, kOperationP50, kOperationP90, kOperationP99,
                    kOperationP999},
                   {124, 92, 78, 78, 78, 78});
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &PerformancePage::show_operation);
    auto* card = new Card(tr("Operations"), table_);
    card->add_action(stretch_);
    if (workspace_.bundle()) card->set_note(tr("since start"));
    return card;
}

QWidget* PerformancePage::build_distribution() {
    histogram_ = new HistogramView;
    histogram_->setAccessibleName(tr("Distribution"));
    histogram_empty_ = new EmptyState(u"performance"_s, {}, {});
    auto* framed = new QWidget;
    auto* frame = new QVBoxLayout(framed);
    frame->setContentsMargins(8, 4, 8, 8);
    frame->addWidget(histogram_);
    histogram_stack_ = make_stack({framed, histogram_empty_});
    return distribution_card_ = new Card(tr("Distribution"), histogram_stack_);
}

QWidget* PerformancePage::build_over_time() {
    graph_ = new PercentileGraph(workspace_);
    time_card_ = new Card(tr("Over time"), graph_);
    time_card_->set_note(tr("each point covers the ten seconds before it"));
    return time_card_;
}

QWidget* PerformancePage::build_report() {
    subject_ = new ChoiceRow({tr("Recommendations"), tr("Users"), tr("Sessions"), tr("Workers")});
    connect(subject_, &ChoiceRow::chosen, this, &PerformancePage::show_report);
    advice_ = make_html("content");
    advice_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    advice_->setContentsMargins(16, 8, 16, 8);
    advice_->setAccessibleName(tr("Recommendations"));
    auto* scroll = new QScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->viewport()->setAutoFillBackground(false);
    scroll->setWidget(advice_);
    tenants_ = make_table({{tr("Name")},
                           {tr("Regions"), 92},
                           {tr("Memory"), 92},
                           {tr("References"), 92},
                           {tr("Allocated"), 92}},
                          tr("Memory by tenant"));
    tenants_->horizontalHeader()->setStretchLastSection(false);
    tenants_->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    report_empty_ = new EmptyState(u"performance"_s, {}, {});
    report_stack_ = make_stack({scroll, tenants_, report_empty_});
    auto* card = new Card(tr("Insights"), report_stack_);
    card->add_action(subject_);
    return card;
}

void PerformancePage::on_shown() {
    refresh();
    ask_report();
}

void PerformancePage::on_second() {
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
    for (std::size_t i = 0; i < layout::kTimed && !workspace_.past(); ++i) {
        const auto what = static_cast<layout::Timed>(i);
        timings[i] = stretch_->current() == kLastMinute ? history.last_minute(what)
                                                        : history.since_start(what);
    }
    model_->show(timings, !workspace_.past());
    show_operation();
}

void PerformancePage::show_operation() {
    const auto what = operation();
    const auto title = operation_title(what);
    const auto& histogram = model_->row(static_cast<int>(what))->histogram;
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
    if (workspace_.past())
        histogram_empty_->set_text(
            tr("Not recorded for this moment"),
            tr("Distributions are not kept. The percentiles over time are."));
    else if (workspace_.bundle() && !workspace_.timings().known())
        histogram_empty_->set_text(
            workspace_.unknown_title({}),
            tr("The bundle does not contain the registry, which holds the timings."));
    else
        histogram_empty_->set_text(stretch_->current() == kLastMinute
                                       ? tr("No operations timed in the last minute")
                                       : tr("No operations timed yet"),
                                   operation_note(what));
}

void PerformancePage::ask_report() {
    const bool settled =
        workspace_.past() || ((workspace_.bundle() || workspace_.paused()) && asked_);
    if (asking_ || settled || !workspace_.has_monitoring()) return;
    asking_ = true;
    workspace_.monitor(
        this, [](MonitoringPort& port) { return port.performance(); },
        [this](Result<PerformanceReport> report) {
            asking_ = false;
            receive_report(std::move(report));
        });
}

void PerformancePage::receive_report(Result<PerformanceReport> report) {
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
    if (workspace_.past()) {
        report_empty_->set_text(tr("Not recorded for this moment"),
                                tr("Recommendations and tenants are worked out for now only."));
        report_stack_->setCurrentWidget(report_empty_);
        return;
    }
    const bool empty = subject == kAdvice ? report_.advice.empty() : tenants.empty();
    if (empty) {
        if (!problem_.isEmpty())
            report_empty_->set_text(workspace_.unknown_title(tr("The report could not be loaded")),
                                    problem_);
        else if (!asked_)
            report_empty_->set_text(tr("Loading the report…"), {});
        else if (subject == kAdvice)
            report_empty_->set_text(tr("No recommendations"),
                                    tr("Recommendations are derived from measured use. Nothing in "
                                       "it calls for a change so far."));
        else
            report_empty_->set_text(
                tr("No shared memory in use"),
                tr("Memory in use by users, sessions and workers is listed here."));
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
        set_row(tenants_, row++,
                {{tenant.name.empty() ? tr("unnamed") : QString::fromStdString(tenant.name)},
                 number_cell(count_text(tenant.regions)),
                 number_cell(size_text(tenant.bytes)),
                 number_cell(count_text(tenant.references)),
                 number_cell(count_text(tenant.allocations))});
    }
}

}  // namespace snakepit::shm::ui
