// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/regions_page.h"

#include <QAction>
#include <QMenu>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <numeric>

#include "platform/replace_file.h"
#include "ui/dialogs/bytes_dialog.h"
#include "ui/dialogs/cleanup_dialog.h"
#include "ui/dialogs/deallocate_dialog.h"
#include "ui/dialogs/policy_dialog.h"
#include "ui/dialogs/rotate_dialog.h"
#include "ui/icons.h"
#include "ui/models/export.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/details_pane.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/getting_started.h"
#include "ui/pages/region_table.h"
#include "ui/pages/save_file.h"
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr qsizetype kNamedHidden = 4;

QString short_id(const RegionId& id) {
    return u"…"_s + QString::fromStdString(id.str()).right(8);
}

}  // namespace

RegionsPage::RegionsPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Regions"), tr("All shared memory regions, live"), parent),
      table_(new RegionTable(workspace, u"regions"_s)),
      filter_(table_->make_filter()),
      details_(new DetailsPane(workspace)),
      nothing_(make_getting_started(workspace)),
      no_match_(new EmptyState(u"filter"_s, tr("No region matches"),
                               tr("The filter hides all regions. Press Esc to clear it."))),
      not_then_(new EmptyState(u"regions"_s, tr("No regions at this moment"), {})),
      stack_(make_stack({table_, nothing_, no_match_, not_then_})) {
    table_->set_default_columns({kColumnId, kColumnName, kColumnState, kColumnSize,
                                 kColumnReferences, kColumnHeldBy, kColumnAge, kColumnIdle,
                                 kColumnOwner, kColumnWorker, kColumnCleanup});
    table_->restore_layout();
    build_actions();
    filter_->add_below(build_hidden_notice());
    body()->addWidget(filter_);
    body()->addWidget(make_split(new Card(stack_), details_, {900, 330}, u"regions_splitter"_s), 1);
    connect(&table_->regions(), &RegionTableModel::counts_changed, this, &RegionsPage::show_counts);
    connect(table_, &RegionTable::selection_edited, this, &RegionsPage::show_selection);
    connect(table_, &RegionTable::hidden_changed, this, &RegionsPage::show_selection);
    connect(&workspace, &Workspace::show_region, this, &RegionsPage::show_region);
    connect(&workspace, &Workspace::show_regions, this, &RegionsPage::set_filter_text);
    connect(&workspace.regions(), &RegionStore::removing, this, [this] { gone_ = true; });
    connect(&workspace, &Workspace::ticked, this, [this] {
        if (gone_ && isVisible()) show_selection();
    });
    connect(&workspace, &Workspace::moment_changed, this, [this] {
        show_counts();
        show_selection();
    });
    connect(table_, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(u"trash"_s), deallocate_text(), this, &RegionsPage::deallocate)
            ->setEnabled(workspace_.can_act());
        auto* restore = menu->addAction(icon(u"refresh"_s), tr("Restore from quarantine"), this,
                                        &RegionsPage::restore);
        restore->setEnabled(!quarantined().empty() && workspace_.can_act());
        menu->addSeparator();
        menu->addAction(icon(u"bytes"_s), tr("Bytes…"), this, &RegionsPage::show_bytes)
            ->setEnabled(bytes_->isEnabled());
        menu->addAction(icon(u"shield"_s), tr("Policy…"), this, &RegionsPage::show_policy)
            ->setEnabled(policy_->isEnabled());
        menu->addAction(icon(u"key"_s), tr("Rotate key…"), this, &RegionsPage::rotate_key)
            ->setEnabled(the_one() && workspace_.can_act() && RotateDialog::applies_to(*the_one()));
    });
    set_main(table_);
    show_counts();
    show_selection();
}

void RegionsPage::build_actions() {
    auto* save = make_tool(u"export"_s, tr("Export shown regions"), u"Ctrl+E"_s);
    connect(save, &QToolButton::clicked, this, &RegionsPage::export_shown);
    auto* details = make_details_tool();
    connect(details, &QToolButton::toggled, details_, &QWidget::setVisible);
    auto* cleanup = make_button(u"broom"_s, tr("Clean up…"), this, [this] {
        (new CleanupDialog(workspace_, CleanupDialog::Scope::due, window()))->open();
    });
    guard(cleanup);
    deallocate_ = make_button(u"trash"_s, tr("Deallocate…"), this, &RegionsPage::deallocate);
    policy_ = make_button(u"shield"_s, tr("Policy…"), this, &RegionsPage::show_policy);
    rotate_ = make_button(u"key"_s, tr("Rotate key…"), this, &RegionsPage::rotate_key);
    bytes_ = make_tool(u"bytes"_s, tr("Bytes of the selected region"), u"Ctrl+B"_s);
    connect(bytes_, &QToolButton::clicked, this, &RegionsPage::show_bytes);
    auto* remove = new QAction(this);
    remove->setShortcut(QKeySequence::Delete);
    remove->setShortcutContext(Qt::WidgetShortcut);
    connect(remove, &QAction::triggered, this, &RegionsPage::deallocate);
    table_->addAction(remove);
    add_actions({table_->make_columns_tool(), save, details, bytes_, rotate_, policy_, cleanup,
                 deallocate_});
}

void RegionsPage::set_filter_text(const QString& text) {
    filter_->set_text(text);
}

QWidget* RegionsPage::build_hidden_notice() {
    hidden_text_ = make_words("caution");
    auto* drop = make_button(u"close"_s, tr("Deselect hidden"), table_, &RegionTable::drop_hidden);
    hidden_notice_ = make_row_box({hidden_text_, drop}, hidden_text_);
    hidden_notice_->hide();
    return hidden_notice_;
}

void RegionsPage::show_region(const QString& id) {
    set_filter_text(id);
    const auto parsed = RegionId::parse(id.toStdString());
    const auto* entry = parsed ? workspace_.regions().find(*parsed) : nullptr;
    table_->select_keys(entry ? std::vector{entry->key()} : std::vector<RegionKey>());
    show_selection();
}

// Another page may have selected others.
void RegionsPage::on_shown() {
    auto mine = table_->selected_keys(), shared = workspace_.selection();
    std::sort(mine.begin(), mine.end());
    std::sort(shared.begin(), shared.end());
    if (mine != shared) table_->select_keys(workspace_.selection());
    show_selection();
}

void RegionsPage::keep_selected(const QString& which) {
    connect(&workspace_, &Workspace::ticked, this, [this, which] {
        const auto at = [this](int row) { return table_->regions().index(row, kColumnId); };
        if (table_->selected_keys().empty())
            for (int row = 0; row < table_->regions().rowCount(); ++row) {
                if (which != u"first" && at(row).data(kIdRole).toString() != which) continue;
                table_->selectRow(row);
                break;
            }
        // New rows push it out of sight otherwise.
        if (const auto rows = table_->selected_rows(); !rows.isEmpty())
            table_->scrollTo(at(rows.front()), QAbstractItemView::PositionAtCenter);
    });
}

void RegionsPage::show_counts() {
    const auto shown = table_->regions().shown(), total = table_->regions().total();
    const auto& past = workspace_.past();
    const auto count = pluralize(total, "region", "regions");
    set_subtitle(past         ? u"%1 %2"_s.arg(count, workspace_.past_words())
                 : total == 0 ? tr("All shared memory regions, live")
                              : count);
    if (past)
        not_then_->set_text(past->state.recorded ? tr("No regions at this moment")
                                                 : tr("The regions of this moment are not known"),
                            past->state.recorded ? tr("The recorded events name none.")
                                                 : tr("No event from then is recorded."));
    stack_->setCurrentIndex(shown > 0 ? 0 : total > 0 ? 2 : past ? 3 : 1);
}

void RegionsPage::show_selection() {
    gone_ = false;
    auto keys = table_->selected_keys();
    const auto why_not = workspace_.why_not();
    allow(deallocate_, !keys.empty(), why_not);
    deallocate_->setText(deallocate_text());
    const auto* one = the_one();
    allow(policy_, one != nullptr, workspace_.past() ? why_not : QString());
    allow(bytes_, one != nullptr, why_not);
    allow(rotate_, one && RotateDialog::applies_to(*one), why_not);
    workspace_.select(std::move(keys), table_->hidden_keys().size());
    show_hidden();
}

// What an action will hit is in sight, or named.
void RegionsPage::show_hidden() {
    const auto hidden = table_->hidden_keys();
    QStringList names;
    for (const auto& key : hidden)
        if (names.size() < kNamedHidden)
            names << short_id(workspace_.regions().find(key)->row.info.id);
    auto text = tr("The filter hides %1 of the selection: %2")
                    .arg(pluralize(hidden.size(), "region", "regions"), names.join(u", "_s));
    if (hidden.size() > kNamedHidden) text += tr(" and %1 more").arg(hidden.size() - kNamedHidden);
    say(hidden_text_, text);
    hidden_notice_->setVisible(!hidden.empty());
}

QString RegionsPage::deallocate_text() const {
    const auto all = table_->selected_keys().size(), hidden = table_->hidden_keys().size();
    if (all < 2 && hidden == 0) return tr("Deallocate…");
    return hidden == 0 ? tr("Deallocate %1…").arg(count_text(all))
                       : tr("Deallocate %1, %2 hidden…").arg(count_text(all), count_text(hidden));
}

const RegionInfo* RegionsPage::the_one() const {
    const auto keys = table_->selected_keys();
    const auto* entry = keys.size() == 1 ? workspace_.regions().find(keys.front()) : nullptr;
    return entry ? &entry->row.info : nullptr;
}

void RegionsPage::show_policy() {
    if (const auto* one = the_one()) (new PolicyDialog(workspace_, one->id, window()))->open();
}

void RegionsPage::show_bytes() {
    if (const auto* one = the_one()) (new BytesDialog(workspace_, *one, window()))->open();
}

void RegionsPage::rotate_key() {
    if (const auto* one = the_one()) (new RotateDialog(workspace_, *one, window()))->open();
}

void RegionsPage::deallocate() {
    std::vector<DeallocateTarget> targets;
    const auto add = [&](const RegionKey& key, bool hidden) {
        if (const auto* entry = workspace_.regions().find(key))
            targets.push_back({entry->row.info, hidden});
    };
    const auto keys = table_->selected_keys(), hidden = table_->hidden_keys();
    for (std::size_t i = 0; i < keys.size(); ++i) add(keys[i], i >= keys.size() - hidden.size());
    if (!targets.empty() && workspace_.can_act())
        (new DeallocateDialog(workspace_, std::move(targets), window()))->open();
}

std::vector<RegionId> RegionsPage::quarantined() const {
    std::vector<RegionId> ids;
    for (const auto& key : table_->selected_keys())
        if (const auto* entry = workspace_.regions().find(key);
            entry && entry->row.info.state == RegionState::quarantined)
            ids.push_back(entry->row.info.id);
    return ids;
}

void RegionsPage::restore() {
    for (const auto& id : quarantined())
        workspace_.act(
            this, [id](ManagerPort& port) { return port.restore(id); },
            [this](const Result<std::string>& next) {
                if (next) return;
                show_warning(window(), tr("Restore"), error_text(next.error()));
            });
}

void RegionsPage::export_shown() {
    const auto file = ask_for_file(this, tr("Export shown regions"), u"regions.csv"_s,
                                   {{"CSV", "csv"}, {"JSON", "json"}});
    if (!file) return;
    QList<int> rows(table_->regions().rowCount());
    std::iota(rows.begin(), rows.end(), 0);
    const auto columns = table_->shown_columns();
    const auto text = file->suffix == u"json" ? to_json(table_->regions(), rows, columns)
                                              : to_csv(table_->regions(), rows, columns);
    const auto written =
        write_output(file->path.toStdString(), text.toStdString(), {.replace = file->replace});
    if (!written) show_warning(this, tr("Export"), error_text(written.error()));
}

}  // namespace snakepit::shm::ui
