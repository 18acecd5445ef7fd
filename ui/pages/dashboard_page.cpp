// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/dashboard_page.h"

#include <QGridLayout>
#include <QScrollArea>
#include <QStackedWidget>

#include "layout/client_words.h"
#include "ui/dialogs/cleanup_dialog.h"
#include "ui/graphs/memory_graph.h"
#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/alert_strip.h"
#include "ui/pages/getting_started.h"
#include "ui/pages/region_table.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kEventsShown = 10;
constexpr int kSettlingAsks = 8;  // the recorder commits a little after an event is published
constexpr std::size_t kTrendSamples = 120;

QString event_row(const EventRow& row) {
    const auto& p = colours();
    const auto what =
        row.region_id.empty()
            ? event_detail(row)
            : QStringLiteral("…%1  %2").arg(to_qstring(row.region_id).right(8), event_detail(row));
    return QStringLiteral(
               "<tr><td style='padding: 4px 10px 4px 0; color:%1'>%2</td>"
               "<td style='padding: 4px 10px 4px 0; color:%3; white-space: nowrap'><b>%4</b></td>"
               "<td style='padding: 4px 0; color:%1'>%5</td></tr>")
        .arg(p.muted.name(), clock_text(row.time).left(8), p.tone(event_tone(row)).text.name(),
             event_title(row.kind).toHtmlEscaped(), what.toHtmlEscaped());
}

}  // namespace

DashboardPage::DashboardPage(Workspace& workspace, AlertBook& book, QWidget* parent)
    : Page(tr("Dashboard"), tr("Shared memory on this host at a glance"), parent),
      workspace_(workspace),
      feed_(workspace.event_source()),
      stack_(new QStackedWidget),
      nothing_(make_getting_started(workspace)) {
    auto* cleanup = make_button(QStringLiteral("broom"), tr("Clean up…"));
    cleanup->setEnabled(workspace_.can_act());
    connect(cleanup, &QPushButton::clicked, this, [this] {
        (new CleanupDialog(workspace_, CleanupDialog::Scope::due, window()))->open();
    });
    add_action(cleanup);
    auto* empty = new Card;
    empty->body()->addWidget(nothing_);
    stack_->addWidget(build_content());
    stack_->addWidget(empty);
    auto* alerts = new AlertStrip(book);
    connect(alerts, &AlertStrip::alert_wanted, this, &DashboardPage::alert_wanted);
    connect(alerts, &AlertStrip::all_wanted, this,
            [this] { Q_EMIT page_wanted(QStringLiteral("alerts")); });
    body()->addWidget(alerts);
    body()->addWidget(stack_, 1);
    connect(&workspace, &Workspace::ticked, this, [this] {
        if (isVisible()) refresh();
    });
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible()) show_trends();
    });
    refresh();
}

QWidget* DashboardPage::build_content() {
    regions_ = new FigureCard(QStringLiteral("regions"), tr("Regions"));
    memory_ = new FigureCard(QStringLiteral("memory"), tr("Memory used"));
    references_ = new FigureCard(QStringLiteral("references"), tr("References"));
    programs_ = new FigureCard(QStringLiteral("processes"), tr("Programs"));
    orphans_ = new FigureCard(QStringLiteral("orphan"), tr("Orphans"));
    auto* graph_card = new Card(tr("Memory"));
    graph_card->body()->addWidget(new MemoryGraph(workspace_));
    auto* events_card = new Card(tr("Latest events"));
    auto* all = make_tool(QStringLiteral("chevron"), tr("All events"));
    connect(all, &QToolButton::clicked, this,
            [this] { Q_EMIT page_wanted(QStringLiteral("events")); });
    events_card->add_action(all);
    events_ = make_label({});
    events_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    events_->setContentsMargins(16, 2, 14, 8);
    events_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Expanding);
    events_card->body()->addWidget(events_, 1);

    auto* content = new QWidget;
    auto* grid = new QGridLayout(content);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setSpacing(12);
    int column = 0;
    for (auto* figure : {regions_, memory_, references_, programs_, orphans_})
        grid->addWidget(figure, 0, column++);
    for (int i = 0; i < column; ++i) grid->setColumnStretch(i, 1);
    grid->addWidget(graph_card, 1, 0, 1, 3);
    grid->addWidget(events_card, 1, 3, 1, 2);
    grid->addWidget(build_orphans(), 2, 0, 1, 5);
    grid->setRowStretch(1, 3);
    grid->setRowStretch(2, 2);
    return content;
}

Card* DashboardPage::build_orphans() {
    auto* card = new Card(tr("Left behind"));
    card->set_note(tr("regions whose owner is gone"));
    auto* cleanup = make_button(QStringLiteral("broom"), tr("Rehearse a cleanup…"));
    cleanup->setEnabled(workspace_.can_act());
    connect(cleanup, &QPushButton::clicked, this, [this] {
        (new CleanupDialog(workspace_, CleanupDialog::Scope::orphans, window()))->open();
    });
    card->add_action(cleanup);
    orphan_table_ = new RegionTable(workspace_, QStringLiteral("orphans"));
    orphan_table_->regions().set_scope(
        [](const RegionRow& row) { return row.info.state == RegionState::orphan; });
    orphan_table_->set_default_columns({kColumnId, kColumnSize, kColumnAge, kColumnIdle,
                                        kColumnReferences, kColumnHeldBy, kColumnOwner,
                                        kColumnPolicy});
    orphan_table_->setAccessibleName(tr("Orphans"));
    orphan_table_->restore_layout();
    orphan_stack_ = new QStackedWidget;
    auto* none = make_label(tr("Nothing was left behind."), "muted");
    none->setAlignment(Qt::AlignCenter);
    orphan_stack_->addWidget(orphan_table_);
    orphan_stack_->addWidget(none);
    card->body()->addWidget(orphan_stack_);
    connect(orphan_table_, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        Q_EMIT workspace_.show_region(index.data(kIdRole).toString());
    });
    return card;
}

void DashboardPage::showEvent(QShowEvent* event) {
    Page::showEvent(event);
    refresh();
    show_trends();
}

void DashboardPage::refresh() {
    const bool nothing = workspace_.regions().size() == 0 && workspace_.clients().empty();
    if (stack_->currentIndex() != (nothing ? 1 : 0)) stack_->setCurrentIndex(nothing ? 1 : 0);
    show_figures();
    const int orphans = static_cast<int>(orphan_table_->regions().total());
    orphan_stack_->setCurrentIndex(orphans > 0 ? 0 : 1);
    if (events_seen_ != workspace_.event_head()) asks_left_ = kSettlingAsks;
    events_seen_ = workspace_.event_head();
    if (asks_left_ > 0 && isVisible()) {
        --asks_left_;
        ask_events();
    }
}

void DashboardPage::show_figures() {
    const auto* sample = workspace_.latest();
    regions_->set_figure(
        count_text(workspace_.regions().size()),
        sample ? tr("%1 allocated since the start").arg(count_text(sample->allocations))
               : QString());
    const auto& clients = workspace_.clients();
    std::size_t lost = 0;
    for (const auto& client : clients) lost += client.connected ? 0 : 1;
    programs_->set_figure(
        count_text(clients.size()),
        lost ? QStringLiteral("%1 %2").arg(count_text(lost), to_qstring(kNotReconnected))
             : tr("all connected"));
    const auto orphans = orphan_table_->regions().total();
    orphans_->set_figure(count_text(orphans),
                         orphans ? tr("owner gone") : tr("nothing left behind"),
                         orphans ? Tone::caution : Tone::none);
    if (!sample) return;
    memory_->set_figure(
        size_text(sample->bytes_used),
        tr("%1 of %2 free").arg(size_text(sample->shm_free), size_text(sample->shm_total)));
    references_->set_figure(count_text(sample->references), tr("held by programs now"));
}

void DashboardPage::show_trends() {
    const auto& samples = workspace_.samples();
    const auto from = samples.size() > kTrendSamples ? samples.size() - kTrendSamples : 0;
    std::vector<double> regions, memory, references, programs;
    for (auto i = from; i < samples.size(); ++i) {
        regions.push_back(static_cast<double>(samples[i].regions));
        memory.push_back(static_cast<double>(samples[i].bytes_used));
        references.push_back(static_cast<double>(samples[i].references));
        programs.push_back(static_cast<double>(samples[i].clients));
    }
    regions_->set_trend(std::move(regions));
    memory_->set_trend(std::move(memory));
    references_->set_trend(std::move(references));
    programs_->set_trend(std::move(programs));
}

void DashboardPage::ask_events() {
    if (feed_.busy()) return;
    EventQuery query;
    query.newest_first = true;
    query.limit = kEventsShown;
    feed_.ask(query, [this](auto result) {
        QString html;
        if (result)
            for (const auto& row : *result) html += event_row(row);
        html = html.isEmpty() ? QString()
                              : QStringLiteral("<table cellspacing='0'>%1</table>").arg(html);
        if (!result) html = error_text(result.error()).toHtmlEscaped();
        say(events_, html);
    });
}

}  // namespace snakepit::shm::ui
