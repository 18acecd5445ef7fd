// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/alerts_page.h"

#include <QHBoxLayout>
#include <QHeaderView>
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
#include "ui/models/alert_book.h"
#include "ui/models/alert_model.h"
#include "ui/models/alert_text.h"
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

AlertsPage::AlertsPage(Workspace& workspace, AlertBook& book, QWidget* parent)
    : Page(tr("Alerts"), tr("What is wrong, and what was"), parent),
      workspace_(workspace),
      book_(book),
      live_(new AlertModel(this)),
      history_(new AlertHistoryModel(workspace, this)),
      live_table_(new TableView(QStringLiteral("alerts"))),
      history_table_(new TableView(QStringLiteral("alert_history"))),
      live_empty_(new EmptyState(QStringLiteral("alerts"), {}, {})),
      history_empty_(new EmptyState(QStringLiteral("alerts"), tr("No alert has fired yet"),
                                    tr("Alerts that fired are listed here for as long as the "
                                       "history is kept."))),
      lists_(new QStackedWidget),
      views_(new QStackedWidget),
      details_(new AlertDetails(workspace)),
      rules_(new AlertRulesView(workspace)),
      silences_(new SilencesView(workspace)) {
    build_actions();
    body()->addWidget(build_choice_row());
    views_->addWidget(build_list());
    views_->addWidget(rules_);
    views_->addWidget(silences_);
    body()->addWidget(views_, 1);
    connect(&book, &AlertBook::changed, this, [this] {
        if (isVisible()) show_book();
    });
    connect(&book, &AlertBook::counts_changed, this, &AlertsPage::show_counts);
    connect(history_, &AlertHistoryModel::answered, this, &AlertsPage::show_history);
    connect(rules_, &AlertRulesView::answered, this, [this] {
        details_->set_rules(rules_->rules());
        show_selection();
    });
    connect(silences_, &SilencesView::ended, &book_, &AlertBook::ask);
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible()) second();
    });
    set_main(live_table_);
    show_counts();
    show_state();
}

void AlertsPage::build_actions() {
    pane_ = make_details_tool();
    connect(pane_, &QToolButton::toggled, this, &AlertsPage::show_pane);
    acknowledge_ = make_button(QStringLiteral("check"), tr("Acknowledge…"));
    silence_ = make_button(QStringLiteral("silence"), tr("Silence…"));
    connect(acknowledge_, &QPushButton::clicked, this, &AlertsPage::acknowledge);
    connect(silence_, &QPushButton::clicked, this, &AlertsPage::silence);
    connect(details_, &AlertDetails::acknowledge_wanted, this, &AlertsPage::acknowledge);
    connect(details_, &AlertDetails::silence_wanted, this, &AlertsPage::silence);
    connect(details_, &AlertDetails::silences_wanted, this, [this] { show_view(kSilences); });
    for (QWidget* action : std::initializer_list<QWidget*>{pane_, silence_, acknowledge_})
        add_action(action);
}

QWidget* AlertsPage::build_choice_row() {
    choice_ = new ChoiceRow({tr("Live"), tr("History"), tr("Rules"), tr("Silences")});
    search_ = make_search(tr("Search alerts"), tr("Words in the title, the subject or the rule"));
    lead_to(search_, this);
    connect(search_, &QLineEdit::textChanged, this, [this](const QString& words) {
        live_->set_search(words);
        history_->set_search(words);
        show_state();
        show_history();
    });
    connect(choice_, &ChoiceRow::chosen, this, &AlertsPage::refresh_view);
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(12);
    row->addWidget(choice_);
    row->addWidget(search_, 1);
    row->addStretch();  // of no size, but where the search is hidden
    return box;
}

QWidget* AlertsPage::build_table(TableView* table, EmptyState* empty, QStackedWidget*& stack) {
    stack = new QStackedWidget;
    stack->addWidget(table);
    stack->addWidget(empty);
    // Sorted as the model thinks best until somebody clicks a header.
    table->horizontalHeader()->setSortIndicator(-1, Qt::AscendingOrder);
    table->setSortingEnabled(true);
    connect(table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &AlertsPage::show_selection);
    connect(table, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(QStringLiteral("check")), tr("Acknowledge…"), this,
                        &AlertsPage::acknowledge)
            ->setEnabled(acknowledge_->isEnabled());
        menu->addAction(icon(QStringLiteral("silence")), tr("Silence…"), this, &AlertsPage::silence)
            ->setEnabled(silence_->isEnabled());
    });
    return stack;
}

QWidget* AlertsPage::build_list() {
    live_table_->setModel(live_);
    live_table_->set_default_columns({kAlertSeverity, kAlertState, kAlertTitle, kAlertSubject,
                                      kAlertValue, kAlertThreshold, kAlertSince},
                                     {84, 158, 232, 132, 76, 72, 64});
    live_table_->setAccessibleName(tr("Alerts"));
    lists_->addWidget(build_table(live_table_, live_empty_, live_stack_));
    live_table_->restore_layout();
    history_table_->setModel(history_);
    history_table_->set_default_columns(
        {kAlertFired, kAlertSeverity, kAlertState, kAlertTitle, kAlertSubject, kAlertLasted},
        {138, 84, 182, 226, 126, 72});
    history_table_->setAccessibleName(tr("History of alerts"));
    lists_->addWidget(build_table(history_table_, history_empty_, history_stack_));
    history_table_->restore_layout();
    auto* card = new Card;
    card->body()->addWidget(lists_);
    return make_split(card, details_, {860, 350}, QStringLiteral("alerts_splitter"));
}

void AlertsPage::showEvent(QShowEvent* event) {
    Page::showEvent(event);
    book_.set_watched(true);
    show_book();
    refresh_view();
    rules_->refresh();  // the details tell by them which events belong to an alert
}

void AlertsPage::hideEvent(QHideEvent* event) {
    book_.set_watched(false);
    Page::hideEvent(event);
}

void AlertsPage::show_view(View view) {
    choice_->choose(view);
}

void AlertsPage::show_alert(std::uint64_t id) {
    wanted_ = id;
    show_view(kLive);
    search_->clear();
    show_book();
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

void AlertsPage::second() {
    if (++seconds_ % kRefreshSeconds != 0) return;
    // Who reads on in the past is left there.
    const bool at_top = history_table_->verticalScrollBar()->value() == 0;
    if (choice_->current() != kHistory || at_top) refresh_view();
}

void AlertsPage::show_book() {
    live_->show(book_.alerts());
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

void AlertsPage::show_counts() {
    const bool unknown = workspace_.bundle() && !book_.known();
    const auto firing = book_.firing_count(), alone = book_.unacknowledged_count();
    choice_->set_name(kLive, firing > 0 ? tr("Live  %1").arg(count_text(firing)) : tr("Live"));
    set_subtitle(unknown       ? tr("What was wrong there, and what had been")
                 : firing == 0 ? tr("Nothing fires")
                 : alone == 0  ? tr("%1 firing, all acknowledged").arg(count_text(firing))
                               : tr("%1 firing, %2 of them not acknowledged")
                                    .arg(count_text(firing), count_text(alone)));
}

void AlertsPage::show_state() {
    if (!workspace_.has_monitoring())
        live_empty_->set_text(tr("Alerts are not known here"),
                              tr("What is shown has no manager that watches for them."));
    else if (!search_->text().trimmed().isEmpty() && !live_->all().empty())
        live_empty_->set_text(tr("No alert matches"), tr("Take some words away."));
    else if (!book_.problem().isEmpty())
        live_empty_->set_text(workspace_.unknown_title(tr("The alerts cannot be asked for")),
                              book_.problem());
    else if (!book_.known())
        live_empty_->set_text(tr("Asking for the alerts…"), {});
    else if (workspace_.bundle())
        live_empty_->set_text(tr("All was well"),
                              tr("Nothing that the rules watch for was out of its limits when the "
                                 "bundle was made, or in the hour before."));
    else
        live_empty_->set_text(tr("All is well"),
                              tr("Nothing that the rules watch for is out of its limits. What "
                                 "fires will be listed here, the worst first."));
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
        history_empty_->set_text(workspace_.unknown_title(tr("The history cannot be asked for")),
                                 history_->problem());
    else if (!history_->all().empty())
        history_empty_->set_text(tr("No alert matches"), tr("Take some words away."));
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
    acknowledge_->setEnabled(workspace_.can_act() &&
                             std::any_of(alerts.begin(), alerts.end(), can_ack));
    silence_->setEnabled(workspace_.can_act() && alerts.size() == 1 && !alerts.front().silenced &&
                         alerts.front().state != Alert::State::resolved);
    details_->show_hint(alerts.size() < 2
                            ? tr("Select an alert to see what it is about.")
                            : tr("%1 selected").arg(counted(alerts.size(), "alert", "alerts")));
    details_->show_alert(alerts.size() == 1 ? &alerts.front() : nullptr);
}

void AlertsPage::acknowledge() {
    auto alerts = selected();
    std::erase_if(alerts, [](const Alert& alert) {
        return alert.state != Alert::State::firing || !alert.acknowledged_by.empty();
    });
    if (alerts.empty()) return;
    auto* dialog = new AcknowledgeDialog(workspace_, std::move(alerts), window());
    connect(dialog, &AcknowledgeDialog::finished_run, &book_, &AlertBook::ask);
    dialog->open();
}

void AlertsPage::silence() {
    const auto alerts = selected();
    if (alerts.size() != 1) return;
    auto* dialog = new SilenceDialog(workspace_, alerts.front(), window());
    connect(dialog, &SilenceDialog::finished_run, &book_, &AlertBook::ask);
    dialog->open();
}

}  // namespace snakepit::shm::ui
