// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/dashboard_page.h"

#include <QBoxLayout>
#include <QScrollArea>
#include <QStackedWidget>
#include <limits>

#include "layout/client_words.h"
#include "ui/graphs/memory_graph.h"
#include "ui/graphs/time_plot.h"
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

constexpr int kColumnGap = 10, kTwoColumns = 760;  // pixels

QFont bold(QFont font) {
    font.setBold(true);
    return font;
}

QString event_what(const EventRow& row) {
    const auto detail = event_detail(row).simplified();
    return row.region_id.empty() ? detail
                                 : u"…%1 %2"_s.arg(to_qstring(row.region_id).right(8), detail);
}

QString event_row(const EventRow& row, const QString& what) {
    const auto& p = colours();
    return u"<tr><td style='padding: 4px %6px 4px 0; color:%1; white-space: nowrap'>%2</td>"
           u"<td style='padding: 4px %6px 4px 0; color:%3; white-space: nowrap'><b>%4</b></td>"
           u"<td style='padding: 4px 0; color:%1; white-space: nowrap'>%5</td></tr>"_s.arg(
               p.muted.name(), short_clock_text(row.time), p.severity(severity_of(row)).text.name(),
               html_text(event_title(row.kind)), html_text(what), QString::number(kColumnGap));
}

}  // namespace

DashboardPage::DashboardPage(Workspace& workspace, CurrentAlerts& current, QWidget* parent)
    : Page(workspace, tr("Dashboard"),
           workspace.bundle() ? tr("Instance %1 at that time").arg(workspace.instance())
                              : tr("Instance %1 at a glance").arg(workspace.instance()),
           parent),
      feed_(workspace.event_source()),
      stack_(new QStackedWidget),
      nothing_(make_getting_started(workspace)) {
    add_actions({make_cleanup_button(tr("Clean up…"), CleanupDialog::Scope::due)});
    stack_->addWidget(build_content());
    stack_->addWidget(new Card(nothing_));
    auto* alerts = new AlertStrip(current);
    connect(alerts, &AlertStrip::alert_wanted, this, &DashboardPage::alert_wanted);
    connect(alerts, &AlertStrip::all_wanted, this, [this] { Q_EMIT page_wanted(u"alerts"_s); });
    body()->addWidget(alerts);
    body()->addWidget(stack_, 1);
    while_visible(this, &workspace, &Workspace::ticked, [this] { refresh(); });
    while_visible(this, &workspace, &Workspace::second_passed, [this] { show_trends(); });
    connect(&workspace, &Workspace::moment_changed, this, &DashboardPage::show_moment);
    refresh();
}

QPushButton* DashboardPage::make_cleanup_button(const QString& text, CleanupDialog::Scope scope) {
    auto* button = make_button(u"broom"_s, text, this, [this, scope] {
        (new CleanupDialog(workspace_, scope, window()))->open();
    });
    guard(button);
    return button;
}

QWidget* DashboardPage::build_content() {
    regions_ = new FigureCard(u"regions"_s, tr("Regions"));
    memory_ = new FigureCard(u"memory"_s, tr("Memory used"));
    references_ = new FigureCard(u"references"_s, tr("References"));
    programs_ = new FigureCard(u"processes"_s, tr("Programs"));
    orphans_ = new FigureCard(u"orphan"_s, tr("Orphans"));
    regions_->lead_to(tr("Show all regions"), [this] { Q_EMIT workspace_.show_regions({}); });
    memory_->lead_to(tr("Show memory over time"), [this] { Q_EMIT page_wanted(u"memory"_s); });
    references_->lead_to(tr("Show references"), [this] { Q_EMIT page_wanted(u"references"_s); });
    programs_->lead_to(tr("Show processes"), [this] { Q_EMIT page_wanted(u"processes"_s); });
    orphans_->lead_to(tr("Show orphans"),
                      [this] { Q_EMIT workspace_.show_regions(u"state:orphan"_s); });
    auto* graph_card = new Card(tr("Memory"), new MemoryGraph(workspace_));
    events_ = make_html();
    events_->setWordWrap(false);
    auto* events_card = new Card(tr("Latest events"), events_);
    auto* all = make_tool(u"chevron"_s, tr("All events"));
    connect(all, &QToolButton::clicked, this, [this] { Q_EMIT page_wanted(u"events"_s); });
    events_card->add_action(all);
    events_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    events_->setContentsMargins(16, 2, 14, 8);
    events_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Expanding);

    auto* content = new QWidget;
    middle_ = new QHBoxLayout;
    middle_->setSpacing(12);
    middle_->addWidget(graph_card, 3);
    middle_->addWidget(events_card, 2);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(12);
    column->addWidget(new FigureRow({regions_, memory_, references_, programs_, orphans_}));
    column->addLayout(middle_, 3);
    column->addWidget(build_orphans(), 2);
    return content;
}

Card* DashboardPage::build_orphans() {
    auto* card = new Card(tr("Orphans"));
    card->set_note(tr("regions whose owner has exited"));
    card->add_action(make_cleanup_button(tr("Clean up orphans…"), CleanupDialog::Scope::orphans));
    orphan_table_ = new RegionTable(workspace_, u"orphans"_s);
    orphan_table_->regions().set_scope(
        [](const RegionRow& row) { return row.info.state == RegionState::orphan; });
    orphan_table_->set_default_columns({kColumnId, kColumnSize, kColumnAge, kColumnIdle,
                                        kColumnReferences, kColumnHeldBy, kColumnOwner,
                                        kColumnCleanup});
    orphan_table_->setAccessibleName(tr("Orphans"));
    orphan_table_->restore_layout();
    orphan_table_->set_empty_text(tr("No orphans."));
    card->body()->addWidget(orphan_table_);
    connect(orphan_table_, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        Q_EMIT workspace_.show_region(index.data(kIdRole).toString());
    });
    return card;
}

void DashboardPage::resizeEvent(QResizeEvent* event) {
    Page::resizeEvent(event);
    middle_->setDirection(width() < kTwoColumns ? QBoxLayout::TopToBottom
                                                : QBoxLayout::LeftToRight);
}

void DashboardPage::on_shown() {
    refresh();
    show_trends();
}

void DashboardPage::refresh() {
    const bool nothing =
        !workspace_.past() && workspace_.regions().size() == 0 && workspace_.clients().empty();
    if (stack_->currentIndex() != (nothing ? 1 : 0)) stack_->setCurrentIndex(nothing ? 1 : 0);
    show_figures();
    show_events();
    if (events_seen_ != workspace_.event_head()) asks_left_ = kSettlingAsks;
    events_seen_ = workspace_.event_head();
    if (asks_left_ > 0 && isVisible()) {
        --asks_left_;
        ask_events();
    }
}

// The events of another moment are asked for as often as after a new one.
void DashboardPage::show_moment() {
    const auto& instance = workspace_.instance();
    set_subtitle(workspace_.past()     ? tr("Instance %1 %2").arg(instance, workspace_.past_words())
                 : workspace_.bundle() ? tr("Instance %1 at that time").arg(instance)
                                       : tr("Instance %1 at a glance").arg(instance));
    feed_.cancel();
    latest_.clear();
    say(events_, {});
    asks_left_ = 1;
    if (isVisible()) refresh();
}

void DashboardPage::show_figures() {
    const auto* sample = workspace_.latest();
    regions_->set_figure(
        count_text(workspace_.regions().size()),
        sample ? tr("%1 allocated since start").arg(count_text(sample->allocations)) : QString());
    const auto& clients = workspace_.clients();
    std::size_t lost = 0;
    for (const auto& client : clients) lost += client.connected ? 0 : 1;
    programs_->set_figure(count_text(clients.size()),
                          lost ? u"%1 %2"_s.arg(count_text(lost), to_qstring(kNotReconnected))
                          : clients.empty() ? tr("none connected")
                                            : tr("all connected"));
    const auto orphans = orphan_table_->regions().total();
    orphans_->set_figure(count_text(orphans),
                         orphans ? tr("owner has exited") : tr("all owners are running"),
                         orphans ? Severity::caution : Severity::none);
    if (workspace_.past() && !workspace_.past()->state.recorded)
        for (auto* figure : {regions_, programs_, orphans_})
            figure->set_figure(u"–"_s, tr("not recorded"));
    if (!sample) {
        for (auto* figure : {memory_, references_})
            if (workspace_.past()) figure->set_figure(u"–"_s, tr("not recorded"));
        return;
    }
    memory_->set_figure(
        size_text(sample->bytes_used),
        tr("%1 of %2 free").arg(size_text(sample->shm_free), size_text(sample->shm_total)));
    references_->set_figure(count_text(sample->references),
                            workspace_.past() ? tr("held then") : tr("held now"));
}

void DashboardPage::show_trends() {
    const auto& samples = workspace_.samples();
    const auto from = samples.size() > kTrendSamples ? samples.size() - kTrendSamples : 0;
    std::vector<double> regions, memory, references, programs;
    for (auto i = from; i < samples.size(); ++i) {
        if (i > from && seconds(samples[i].time - samples[i - 1].time) > TimePlot::kLongestPause)
            for (auto* values : {&regions, &memory, &references, &programs})
                values->push_back(std::numeric_limits<double>::quiet_NaN());
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
    query.until = workspace_.shown_until();
    query.newest_first = true;
    query.limit = kEventsShown;
    feed_.ask(query, [this](auto result) {
        latest_ = result ? std::move(*result) : std::vector<EventRow>();
        if (result)
            show_events();
        else
            say(events_, html_text(error_text(result.error())));
    });
}

// What has no room is cut with an ellipsis: a label cuts it in the middle of a letter.
void DashboardPage::show_events() {
    if (latest_.empty()) return;
    const QFontMetrics plain(events_->font()), strong(bold(events_->font()));
    int clock = 0, title = 0;
    for (const auto& row : latest_) {
        clock = std::max(clock, plain.horizontalAdvance(short_clock_text(row.time)));
        title = std::max(title, strong.horizontalAdvance(event_title(row.kind)));
    }
    const int room = events_->contentsRect().width() - clock - title - 3 * kColumnGap;
    QString html;
    for (const auto& row : latest_)
        html += event_row(row, plain.elidedText(event_what(row), Qt::ElideRight, room));
    say(events_, u"<table cellspacing='0'>%1</table>"_s.arg(html));
}

}  // namespace snakepit::shm::ui
