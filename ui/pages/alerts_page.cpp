// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/alerts_page.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QMenu>
#include <QScrollBar>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/dialogs/silence_dialog.h"
#include "ui/icons.h"
#include "ui/models/alert_model.h"
#include "ui/models/alert_text.h"
#include "ui/models/current_alerts.h"
#include "ui/models/format.h"
#include "ui/pages/alert_details.h"
#include "ui/pages/alert_rules_view.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/silences_view.h"
#include "ui/pages/split.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kRefreshSeconds = 5;  // what changes without a count: rules, silences, history

}  // namespace

AlertsPage::AlertsPage(Workspace& workspace, CurrentAlerts& current, QWidget* parent)
    : Page(workspace, tr("Alerts"), tr("Current and past alerts"), parent),
      current_(current),
      live_(new AlertModel(this)),
      history_(new AlertHistoryModel(workspace, this)),
      live_table_(new TableView(u"alerts"_s)),
      history_table_(new TableView(u"alert_history"_s)),
      live_empty_(new EmptyState(u"alerts"_s, {}, {})),
      history_empty_(
          new EmptyState(u"alerts"_s, tr("No alert has fired yet"),
                         tr("Past alerts are listed here for as long as the history is kept."))),
      details_(new AlertDetails(workspace)),
      rules_(new AlertRulesView(workspace)),
      silences_(new SilencesView(workspace)) {
    build_actions();
    body()->addWidget(build_choice_row());
    views_ = make_stack({build_list(), rules_, silences_});
    body()->addWidget(views_, 1);
    while_visible(this, &current, &CurrentAlerts::changed, [this] {
        show_current();
        show_counts();
    });
    connect(&current, &CurrentAlerts::counts_changed, this, &AlertsPage::show_counts);
    connect(history_, &AlertHistoryModel::answered, this, &AlertsPage::show_history);
    connect(rules_, &AlertRulesView::answered, this, [this] {
        details_->set_rules(rules_->rules());
        show_selection();
    });
    connect(silences_, &SilencesView::ended, &current_, &CurrentAlerts::ask);
    while_visible(this, &workspace, &Workspace::second_passed, [this] { on_second(); });
    connect(&workspace, &Workspace::moment_changed, this, [this] {
        choice_->set_name(kLive, live_name());
        show_selection();
    });
    set_main(live_table_);
    show_counts();
    show_state();
}

void AlertsPage::build_actions() {
    pane_ = make_details_tool();
    connect(pane_, &QToolButton::toggled, this, &AlertsPage::show_pane);
    acknowledge_ = make_button(u"check"_s, tr("Acknowledge…"), this, &AlertsPage::acknowledge);
    silence_ = make_button(u"silence"_s, tr("Silence…"), this, &AlertsPage::silence);
    connect(details_, &AlertDetails::acknowledge_wanted, this, &AlertsPage::acknowledge);
    connect(details_, &AlertDetails::silence_wanted, this, &AlertsPage::silence);
    connect(details_, &AlertDetails::silences_wanted, this, [this] { show_view(kSilences); });
    add_actions({pane_, silence_, acknowledge_});
}

QWidget* AlertsPage::build_choice_row() {
    choice_ = new ChoiceRow({tr("Live"), tr("History"), tr("Rules"), tr("Silences")});
    search_ = make_search(tr("Search alerts"), tr("Search title, subject and rule"));
    lead_to(search_, this);
    connect(search_, &QLineEdit::textChanged, this, [this](const QString& words) {
        live_->set_search(words);
        history_->set_search(words);
        show_state();
        show_history();
    });
    connect(choice_, &ChoiceRow::chosen, this, &AlertsPage::refresh_view);
    auto* box = make_row_box({choice_, search_}, search_, 12);
    static_cast<QHBoxLayout*>(box->layout())->addStretch();  // for views without the search
    return box;
}

QStackedWidget* AlertsPage::build_table(TableView* table, EmptyState* empty) {
    connect(table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &AlertsPage::show_selection);
    connect(table, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(u"check"_s), tr("Acknowledge…"), this, &AlertsPage::acknowledge)
            ->setEnabled(acknowledge_->isEnabled());
        menu->addAction(icon(u"silence"_s), tr("Silence…"), this, &AlertsPage::silence)
            ->setEnabled(silence_->isEnabled());
    });
    return make_stack({table, empty});
}

QWidget* AlertsPage::build_list() {
    live_table_->set_up(live_, tr("Alerts"),
                        {kAlertSeverity, kAlertState, kAlertTitle, kAlertSubject, kAlertValue,
                         kAlertThreshold, kAlertSince},
                        {84, 158, 232, 132, 76, 72, 64}, TableView::Sorting::by_columns);
    history_table_->set_up(
        history_, tr("Alert history"),
        {kAlertFired, kAlertSeverity, kAlertState, kAlertTitle, kAlertSubject, kAlertLasted},
        {138, 84, 182, 226, 126, 72}, TableView::Sorting::by_columns);
    live_stack_ = build_table(live_table_, live_empty_);
    history_stack_ = build_table(history_table_, history_empty_);
    lists_ = make_stack({live_stack_, history_stack_});
    return make_split(new Card(lists_), details_, {860, 350}, u"alerts_splitter"_s);
}

void AlertsPage::on_shown() {
    current_.set_watched(true);
    show_current();
    refresh_view();
    rules_->refresh();  // the details tell by them which events belong to an alert
}

void AlertsPage::hideEvent(QHideEvent* event) {
    current_.set_watched(false);
    Page::hideEvent(event);
}

void AlertsPage::show_view(View view) {
    choice_->choose(view);
}

void AlertsPage::show_alert(std::uint64_t id) {
    wanted_ = id;
    show_view(kLive);
    search_->clear();
    show_current();
}

TableView* AlertsPage::table() const {
    return choice_->current() == kHistory ? history_table_ : live_table_;
}

void AlertsPage::refresh_view() {
    const auto view = choice_->current();
    const bool list = view == kLive || view == kHistory;
    views_->setCurrentIndex(list ? 0 : view == kRules ? 1 : 2);
    if (list) lists_->setCurrentIndex(view);
    for (QWidget* of_lists :
         std::initializer_list<QWidget*>{search_, pane_, acknowledge_, silence_})
        of_lists->setVisible(list);
    set_main(view == kRules ? rules_->table() : view == kSilences ? silences_->table() : table());
    show_pane();
    if (!isVisible()) return;
    if (view == kHistory) history_->refresh();
    if (view == kRules) rules_->refresh();
    if (view == kSilences) silences_->refresh();
    show_selection();
}

void AlertsPage::on_second() {
    if (++seconds_ % kRefreshSeconds != 0) return;
    // Who reads on in the past is left there.
    const bool at_top = history_table_->verticalScrollBar()->value() == 0;
    if (choice_->current() != kHistory || at_top) refresh_view();
}

void AlertsPage::show_current() {
    live_->show(current_.alerts());
    show_state();
    auto* selection = live_table_->selectionModel();
    const int row = wanted_ ? live_->row_of(wanted_) : -1;
    if (row >= 0) {
        wanted_ = 0;
        live_table_->selectRow(row);
        live_table_->scrollTo(live_->index(row, 0));
    } else if (!selection->hasSelection() && live_->rowCount() > 0) {
        live_table_->selectRow(0);
    }
    show_selection();
}

QString AlertsPage::live_name() const {
    const auto firing = current_.firing_count();
    const auto name = workspace_.past() ? tr("Then") : tr("Live");
    return firing > 0 ? u"%1  %2"_s.arg(name, count_text(firing)) : name;
}

void AlertsPage::show_counts() {
    const bool unknown = workspace_.bundle() && !current_.known();
    const auto firing = current_.firing_count(), alone = current_.unacknowledged_count();
    choice_->set_name(kLive, live_name());
    const bool stale = current_.known() && !current_.problem().isEmpty();
    set_subtitle(
        stale               ? tr("Not up to date: %1").arg(current_.problem())
        : unknown           ? tr("Alerts at that time")
        : workspace_.past() ? tr("%1 firing %2").arg(count_text(firing), workspace_.past_words())
        : firing == 0       ? tr("No alerts firing")
        : alone == 0        ? tr("%1 firing, all acknowledged").arg(count_text(firing))
        : alone < firing
            ? tr("%1 firing, %2 not acknowledged").arg(count_text(firing), count_text(alone))
            : tr("%1 firing, not acknowledged").arg(count_text(firing)));
}

void AlertsPage::show_state() {
    if (!workspace_.has_monitoring())
        live_empty_->set_text(tr("Alerts are not available"),
                              tr("This view has no manager that evaluates alerts."));
    else if (!search_->text().trimmed().isEmpty() && live_->total() > 0)
        live_empty_->set_text(tr("No alert matches"), tr("Try fewer search terms."));
    else if (!current_.problem().isEmpty())
        live_empty_->set_text(workspace_.unknown_title(tr("The alerts could not be loaded")),
                              current_.problem());
    else if (!current_.known())
        live_empty_->set_text(tr("Loading the alerts…"), {});
    else if (workspace_.past())
        live_empty_->set_text(tr("No alerts at this moment"),
                              tr("None is recorded as firing then, or as resolved in the hour "
                                 "before."));
    else if (workspace_.bundle())
        live_empty_->set_text(tr("No alerts"), tr("All conditions were within their limits when "
                                                  "the bundle was made and in the hour before."));
    else
        live_empty_->set_text(tr("No alerts"), tr("All conditions are within their limits. Alerts "
                                                  "are listed here, the most severe first."));
    live_stack_->setCurrentIndex(live_->rowCount() > 0 ? 0 : 1);
    show_pane();
}

// Not beside a list that is empty.
void AlertsPage::show_pane() {
    const auto* model = choice_->current() == kHistory ? history_ : live_;
    details_->setVisible(pane_->isChecked() && model->rowCount() > 0);
}

void AlertsPage::show_history() {
    if (!history_->problem().isEmpty())
        history_empty_->set_text(workspace_.unknown_title(tr("The history could not be loaded")),
                                 history_->problem());
    else if (history_->total() > 0)
        history_empty_->set_text(tr("No alert matches"), tr("Try fewer search terms."));
    history_stack_->setCurrentIndex(history_->rowCount() > 0 ? 0 : 1);
    show_pane();
    if (isVisible()) show_selection();
}

std::vector<Alert> AlertsPage::selected() const {
    const auto* model = choice_->current() == kHistory ? history_ : live_;
    std::vector<Alert> alerts;
    for (const int row : table()->selected_rows()) alerts.push_back(*model->row(row));
    return alerts;
}

void AlertsPage::show_selection() {
    const auto alerts = selected();
    const auto can_ack = [](const Alert& alert) {
        return alert.state == Alert::State::firing && alert.acknowledged_by.empty();
    };
    const auto why_not = workspace_.why_not();
    allow(acknowledge_, std::any_of(alerts.begin(), alerts.end(), can_ack), why_not);
    allow(silence_,
          alerts.size() == 1 && !alerts.front().silenced &&
              alerts.front().state != Alert::State::resolved,
          why_not);
    details_->show_hint(alerts.size() < 2
                            ? tr("Select an alert to see its details.")
                            : tr("%1 selected").arg(pluralize(alerts.size(), "alert", "alerts")));
    details_->show_alert(alerts.size() == 1 ? &alerts.front() : nullptr);
}

void AlertsPage::acknowledge() {
    auto alerts = selected();
    std::erase_if(alerts, [](const Alert& alert) {
        return alert.state != Alert::State::firing || !alert.acknowledged_by.empty();
    });
    if (alerts.empty()) return;
    auto* dialog = new AcknowledgeDialog(workspace_, std::move(alerts), window());
    connect(dialog, &AcknowledgeDialog::finished_run, &current_, &CurrentAlerts::ask);
    dialog->open();
}

void AlertsPage::silence() {
    const auto alerts = selected();
    if (alerts.size() != 1) return;
    auto* dialog = new SilenceDialog(workspace_, alerts.front(), window());
    connect(dialog, &SilenceDialog::finished_run, &current_, &CurrentAlerts::ask);
    dialog->open();
}

}  // namespace snakepit::shm::ui
