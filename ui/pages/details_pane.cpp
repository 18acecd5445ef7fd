// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/details_pane.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "layout/client_words.h"
#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/user_names.h"
#include "ui/models/workspace.h"
#include "ui/pages/security_section.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kEventsOfRegion = 14;

QString holder_html(const RegionReference& holder) {
    const auto held = holder.count == 0 ? QObject::tr("mapped, idle")
                                        : pluralize(holder.count, "reference", "references");
    const auto access =
        holder.access == AccessMode::read_only ? QObject::tr(", read-only") : QString();
    const auto lost = holder.connected ? QString() : u", "_s + to_qstring(kNotReconnected);
    return u"<tr><td><b>%1</b>&nbsp;&nbsp;</td><td>%2&nbsp;&nbsp;</td><td>%3</td></tr>"_s.arg(
        html_text(program_text(holder.process, holder.pid)), pid_html(holder.pid),
        held + access + lost);
}

QString event_html(const EventRow& row) {
    const auto severity = colours().severity(severity_of(row)).text.name();
    return u"<tr><td>%1&nbsp;&nbsp;</td><td><span style='color:%2'>%3</span><br>%4</td></tr>"_s.arg(
        muted_html(short_clock_text(row.time)), severity, html_text(event_title(row.kind)),
        muted_html(event_detail(row)));
}

}  // namespace

DetailsPane::DetailsPane(Workspace& workspace, QWidget* parent)
    : DetailsCard(tr("Select a region to see its details."), 270, parent),
      workspace_(workspace),
      feed_(workspace.event_source()) {
    build_head();
    build_fields();
    connect(&workspace, &Workspace::selection_changed, this, &DetailsPane::choose);
    while_visible(this, &workspace, &Workspace::moment_changed, [this] { choose(); });
    while_visible(this, &workspace, &Workspace::ticked, [this] { tick(); });
    while_visible(this, &workspace, &Workspace::second_passed, [this] { ask_holders(); });
    choose();
}

void DetailsPane::build_head() {
    state_ = make_sign();
    id_ = make_words();
    id_->setFont(Theme::instance().monospace());
    id_->setAccessibleName(tr("Region id"));
    auto* head = new QHBoxLayout;
    hidden_ = make_sign();
    set_chip(hidden_, tr("hidden by the filter"), Severity::caution);
    head->addWidget(state_, 0, Qt::AlignVCenter);
    head->addWidget(hidden_, 0, Qt::AlignVCenter);
    head->addStretch();
    add_copy(head, tr("Copy id"), [this] { return id_->text(); });
    column()->addLayout(head);
    column()->addWidget(id_);
    column()->addSpacing(4);
}

void DetailsPane::build_fields() {
    holders_ = add_section(tr("Held by"), make_html());
    column()->addWidget(security_ = new SecuritySection(workspace_));
    column()->addSpacing(6);
    auto* facts = make_facts();
    for (int shown : {kColumnName, kColumnSize, kColumnReserved, kColumnReferences, kColumnAccesses,
                      kColumnOwner, kColumnUser, kColumnWorker, kColumnSession, kColumnAge,
                      kColumnIdle, kColumnCleanup, kColumnTimeout, kColumnAccess, kColumnMetadata})
        fields_[shown] = add_fact(facts, QString::fromUtf8(region_column(shown).title));
    place_ = new ElidedLabel;
    facts->addRow(make_label(tr("Place"), "muted"), place_);
    column()->addWidget(make_label(tr("About"), "section"));
    column()->addLayout(facts);
    column()->addSpacing(6);
    events_ = add_section(tr("Latest events"), make_html());
}

void DetailsPane::showEvent(QShowEvent* event) {
    DetailsCard::showEvent(event);
    choose();
}

bool DetailsPane::keep_ended() {
    const auto& selection = workspace_.selection();
    const auto lives = [this](const RegionKey& key) {
        return workspace_.regions().find(key) != nullptr;
    };
    const bool ended =
        key_ && !lives(*key_) && std::none_of(selection.begin(), selection.end(), lives);
    if (!ended || std::exchange(ended_, true)) return ended;
    latest_.next();
    set_chip(state_, tr("ended"), Severity::neutral);
    say(holders_, muted_html(tr("No process holds it.")));
    security_->setEnabled(false);
    ask_events();
    return true;
}

void DetailsPane::choose() {
    if (keep_ended()) return;
    ended_ = false;
    security_->setEnabled(true);
    const auto& selection = workspace_.selection();
    key_ = selection.size() == 1 ? std::optional(selection.front()) : std::nullopt;
    latest_.next();
    asking_ = false;
    events_seen_ = 0;
    events_->clear();
    std::uint64_t bytes = 0;
    for (const auto& key : selection)
        if (const auto* entry = workspace_.regions().find(key)) bytes += entry->row.info.size;
    show_hint(selection.size() < 2
                  ? tr("Select a region to see its details.")
                  : tr("%1 selected, %2 in total%3")
                        .arg(pluralize(selection.size(), "region", "regions"), size_text(bytes),
                             workspace_.selection_hidden() == 0
                                 ? QString()
                                 : tr("; the filter hides %1 of them")
                                       .arg(count_text(workspace_.selection_hidden()))));
    hidden_->setVisible(workspace_.selection_hidden() > 0);
    const auto* entry = key_ ? workspace_.regions().find(*key_) : nullptr;
    show_content(entry != nullptr);
    if (entry) id_of_key_ = entry->row.info.id;
    if (!entry || !isVisible()) return;
    security_->choose(entry->row.info);
    show_holders(entry->row.info, entry->row.holders <= entry->row.info.references.size(), {});
    if (!is_known(entry->row, kColumnHeldBy))
        say(holders_, muted_html(tr("Not recorded for this moment.")));
    tick();
    ask_holders();
}

void DetailsPane::tick() {
    const auto* entry = key_ ? workspace_.regions().find(*key_) : nullptr;
    if (!entry) {
        if (key_ && !ended_) choose();
        // The event that says who freed it is recorded a little later.
        if (ended_ && events_seen_ != workspace_.event_head() + 1) ask_events();
        return;
    }
    show_fields(entry->row);
    if (events_seen_ != workspace_.event_head() + 1) ask_events();
}

void DetailsPane::show_fields(const RegionRow& row) {
    const auto& info = row.info;
    security_->show_region(info);
    if (is_known(row, kColumnState))
        set_chip(state_, plain_text(info.state), severity_of(info.state));
    else
        set_chip(state_, tr("state not recorded"), Severity::neutral);
    say(id_, QString::fromStdString(info.id.str()));
    for (const auto& [column, label] : fields_) {
        if (!is_known(row, column)) {
            say(label, tr("not recorded"));
            continue;
        }
        auto text = region_column(column).text(row);
        if (column == kColumnAge || column == kColumnIdle)
            text += u"  (%1)"_s.arg(
                clock_text(column == kColumnAge ? info.created_at : info.last_accessed));
        if (column == kColumnOwner) text += u"  (pid %1)"_s.arg(info.owner_pid);
        if (column == kColumnCleanup)
            text += tr(", when its owner ends: %1").arg(plain_text(info.owner_end));
        if (column == kColumnUser) text = user_text(info.owner_uid);
        if (text.isEmpty()) text = u"–"_s;
        say(label, text);
    }
    place_->set_text(
        info.arena.empty()
            ? QString::fromStdString(info.platform_handle)
            : tr("%1 at %2").arg(QString::fromStdString(info.arena), count_text(info.offset)));
}

void DetailsPane::ask_holders() {
    const auto* entry = key_ ? workspace_.regions().find(*key_) : nullptr;
    if (!entry || asking_ || workspace_.held()) return;
    asking_ = true;
    workspace_.ask(
        this, [id = entry->row.info.id](ManagerPort& port) { return port.info(id); },
        [this, token = latest_.next()](Result<RegionInfo> info) {
            if (!latest_.is(token)) return;
            // Each refusal is recorded: one is enough for as long as the region is looked at.
            asking_ = !info && info.error().type() == ErrorType::permission_denied;
            const auto* row = key_ ? workspace_.regions().find(*key_) : nullptr;
            if (info)
                show_holders(*info, true, {});
            else if (row)
                show_holders(row->row.info, false, error_text(info.error()));
        });
}

void DetailsPane::show_holders(const RegionInfo& info, bool complete, const QString& problem) {
    QString html;
    for (const auto& holder : info.references) html += holder_html(holder);
    html = html.isEmpty() ? muted_html(tr("No process holds it."))
                          : u"<table cellspacing='0'>%1</table>"_s.arg(html);
    if (!complete)
        html += u"<p style='margin: 0'>%1</p>"_s.arg(
            muted_html(problem.isEmpty() ? tr("There may be more.") : capitalised(problem)));
    say(holders_, html);
}

void DetailsPane::ask_events() {
    events_seen_ = workspace_.event_head() + 1;
    EventQuery query;
    query.region_id = id_of_key_.str();
    query.until = workspace_.shown_until();
    query.newest_first = true;
    query.limit = kEventsOfRegion;
    feed_.ask(query, [this](auto result) {
        QString html;
        if (result)
            for (const auto& row : *result) html += event_html(row);
        if (result) show_policy_event(*result);
        if (!result)
            say(events_, muted_html(capitalised(error_text(result.error()))));
        else if (html.isEmpty())
            say(events_, muted_html(tr("None recorded yet.")));
        else
            say(events_, u"<table cellspacing='0' cellpadding='1'>%1</table>"_s.arg(html));
    });
}

// Newest first: the first one about the policy counts.
void DetailsPane::show_policy_event(const std::vector<EventRow>& rows) {
    for (const auto& row : rows)
        if (row.kind == EventKind::policy_changed || row.kind == EventKind::policy_unreadable)
            return security_->policy_event(row.seq);
    security_->policy_event(0);
}

}  // namespace snakepit::shm::ui
