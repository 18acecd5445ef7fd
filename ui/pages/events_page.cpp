// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/events_page.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QMenu>
#include <QShortcut>
#include <QStackedWidget>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/dialogs/audit_dialog.h"
#include "ui/dialogs/report_dialog.h"
#include "ui/icons.h"
#include "ui/models/event_model.h"
#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kSettlingReads = 8;  // two seconds of ticks

}  // namespace

EventsPage::EventsPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Events"), tr("Recorded events, newest first"), parent),
      model_(new EventModel(workspace.event_source(), this)),
      table_(new TableView(u"events"_s)),
      empty_(new EmptyState(u"events"_s, {}, {})),
      stack_(make_stack({table_, empty_})) {
    table_->set_up(
        model_, tr("Events"),
        {kEventTime, kEventKind, kEventRegion, kEventUser, kEventPid, kEventResult, kEventDetail},
        {182, 170, 262, 84, 62, 132, 200});
    build_actions();
    body()->addWidget(build_filter_row());
    body()->addWidget(new Card(stack_), 1);
    connect(model_, &EventModel::answered, this, &EventsPage::show_state);
    connect(&workspace, &Workspace::ticked, this, [this] {
        if (!isVisible() || !follow_->isChecked()) return;
        // Rows would move under the pointer.
        const bool held = table_->underMouse() && model_->rowCount() > 0;
        if (held != std::exchange(held_, held)) show_state();
        if (!held) catch_up();
    });
    connect(&workspace, &Workspace::pause_changed, this, &EventsPage::limit);
    for (auto limits : {&Workspace::moment_changed, &Workspace::period_changed})
        connect(&workspace, limits, this, [this] {
            limit();
            if (isVisible())
                ask_anew();
            else
                asked_ = false;
        });
    connect(table_, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        const auto id = table_->currentIndex().data(kIdRole).toString();
        if (id.isEmpty()) return;
        menu->addAction(icon(u"filter"_s), tr("Show only this region"), this,
                        [this, id] { show_region(id); });
        menu->addAction(icon(u"regions"_s), tr("Show region"), this,
                        [this, id] { Q_EMIT workspace_.show_region(id); });
    });
    set_main(table_);
    show_state();
}

// To what is shown, and to the period that was chosen.
void EventsPage::limit() {
    auto until = workspace_.shown_until();
    const auto& period = workspace_.period();
    if (period && (!until || period->to < *until)) until = period->to;
    model_->set_since(period ? std::optional(period->from) : std::nullopt);
    model_->set_until(until);
}

void EventsPage::build_actions() {
    auto* audit = make_button(u"shield"_s, tr("Verify history…"), this,
                              [this] { (new AuditDialog(workspace_, window()))->open(); });
    auto* report =
        make_button(u"export"_s, tr("Export audit report…"), this, &EventsPage::export_report);
    for (auto* button : {audit, report}) button->setEnabled(workspace_.can_act());
    add_actions({audit, report});
}

// What is shown is what is offered first.
void EventsPage::export_report() {
    EventQuery shown;
    if (const int number = kind_->currentData().toInt())
        shown.kind = static_cast<EventKind>(number);
    if (auto id = words_->text().trimmed().toStdString(); RegionId::parse(id))
        shown.region_id = std::move(id);
    (new ReportDialog(workspace_, shown, window()))->open();
}

QWidget* EventsPage::build_filter_row() {
    kind_ = new QComboBox;
    kind_->setAccessibleName(tr("Event kind"));
    kind_->addItem(tr("All events"), 0);
    for (const auto kind : all_event_kinds())
        kind_->addItem(event_title(kind), static_cast<int>(kind));
    security_ =
        make_tool(u"shield"_s,
                  tr("Refusals, audited accesses and changes of policies, keys and configuration"),
                  u"Ctrl+U"_s, tr("Security"));
    security_->setCheckable(true);
    words_ = make_search(tr("Search events"), tr("Search region, process id, result and details"));
    lead_to(words_, this);
    auto* escape = new QShortcut(QKeySequence(Qt::Key_Escape), this);
    connect(escape, &QShortcut::activated, words_, &QLineEdit::clear);
    follow_ =
        make_tool(u"follow"_s, tr("Follow: show new events at the top"), u"Ctrl+L"_s, tr("Follow"));
    follow_->setCheckable(true);
    follow_->setChecked(true);
    badge_ = make_label({}, "badge");
    badge_->hide();
    // Typing asks once it rests; the question before is interrupted in any case.
    auto* rest = new QTimer(this);
    rest->setSingleShot(true);
    rest->setInterval(150);
    connect(rest, &QTimer::timeout, this, &EventsPage::ask_anew);
    connect(words_, &QLineEdit::textChanged, rest, qOverload<>(&QTimer::start));
    connect(kind_, &QComboBox::currentIndexChanged, this, [this](int index) {
        // One kind, or all that belong together.
        const QSignalBlocker quiet(security_);
        if (index > 0) security_->setChecked(false);
        ask_anew();
    });
    connect(security_, &QToolButton::toggled, this, [this](bool security) {
        const QSignalBlocker quiet(kind_);
        if (security) kind_->setCurrentIndex(0);
        ask_anew();
    });
    return make_row_box({security_, kind_, words_, badge_, follow_}, words_);
}

void EventsPage::on_shown() {
    if (asked_)
        catch_up();
    else
        ask_anew();
}

void EventsPage::show_region(const QString& region_id) {
    kind_->setCurrentIndex(0);
    security_->setChecked(false);
    words_->setText(region_id);
}

void EventsPage::show_kind(EventKind kind) {
    security_->setChecked(false);
    words_->clear();
    kind_->setCurrentIndex(kind_->findData(static_cast<int>(kind)));
}

void EventsPage::ask_anew() {
    asked_ = true;
    std::vector<EventKind> kinds;
    if (const int number = kind_->currentData().toInt())
        kinds.push_back(static_cast<EventKind>(number));
    else if (security_->isChecked())
        kinds = security_kinds();
    model_->set_query(std::move(kinds), words_->text().trimmed());
}

// The recorder commits a little after an event is published: ask on for a while after the last one.
void EventsPage::catch_up() {
    if (model_->busy() || workspace_.held()) return;
    if (head_ != workspace_.event_head()) asks_left_ = kSettlingReads;
    head_ = workspace_.event_head();
    if (asks_left_ == 0 && model_->problem().isEmpty()) return;
    if (asks_left_ > 0) --asks_left_;
    model_->refresh();
}

void EventsPage::show_state() {
    const bool filtered =
        kind_->currentIndex() > 0 || security_->isChecked() || !words_->text().trimmed().isEmpty();
    const bool empty = model_->rowCount() == 0;
    const bool stale = !empty && !model_->problem().isEmpty();
    badge_->setVisible(filtered || stale || held_);
    say(badge_, stale   ? tr("not up to date")
                : held_ ? tr("held under the pointer")
                        : tr("filtered"));
    set_tooltip(badge_, model_->problem());
    if (!model_->problem().isEmpty())
        empty_->set_text(tr("The event database could not be read"), model_->problem());
    else if (!asked_ || model_->busy())
        empty_->set_text(tr("Loading the events…"), {});
    else if (filtered)
        empty_->set_text(tr("No event matches"),
                         tr("Choose another kind or search for fewer words."));
    else
        empty_->set_text(tr("No events yet"),
                         tr("Allocations, mappings, releases and refusals are listed here."));
    stack_->setCurrentIndex(empty ? 1 : 0);
    if (workspace_.past() && !empty)
        return set_subtitle(
            tr("Newest first, back from %1").arg(zoned_text(workspace_.past()->state.moment)));
    set_subtitle(empty ? tr("Recorded events, newest first")
                 : model_->complete()
                     ? pluralize(static_cast<std::uint64_t>(model_->rowCount()), "event", "events")
                     : tr("Newest %1 events; scroll for older ones")
                           .arg(count_text(static_cast<std::uint64_t>(model_->rowCount()))));
}

}  // namespace snakepit::shm::ui
