// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/regions_page.h"

#include <QAction>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QMessageBox>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <numeric>

#include "platform/replace_file.h"
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
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

RegionsPage::RegionsPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Regions"), tr("All shared memory regions, live"), parent),
      filter_(new FilterLine(
          tr("Filter"),
          tr("Filter:  size>1MiB  owner:python  state:orphan  refs=0  age>10m  words…"))),
      table_(new RegionTable(workspace, u"regions"_s)),
      details_(new DetailsPane(workspace)),
      nothing_(make_getting_started(workspace)),
      no_match_(new EmptyState(u"filter"_s, tr("No region matches"),
                               tr("The filter hides all regions. Press Esc to clear it."))),
      stack_(make_stack({table_, nothing_, no_match_})) {
    table_->set_default_columns({kColumnId, kColumnName, kColumnState, kColumnSize,
                                 kColumnReferences, kColumnHeldBy, kColumnAge, kColumnIdle,
                                 kColumnOwner, kColumnWorker, kColumnCleanup});
    table_->restore_layout();
    build_actions();
    body()->addWidget(filter_);
    body()->addWidget(make_split(new Card(stack_), details_, {900, 330}, u"regions_splitter"_s), 1);
    connect(filter_, &FilterLine::edited, this, &RegionsPage::apply_filter);
    connect(&table_->regions(), &RegionTableModel::counts_changed, this, &RegionsPage::show_counts);
    connect(table_, &RegionTable::selection_edited, this, &RegionsPage::show_selection);
    connect(&workspace, &Workspace::show_region, this, &RegionsPage::set_filter_text);
    connect(table_, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(u"trash"_s), tr("Deallocate…"), this, &RegionsPage::deallocate)
            ->setEnabled(workspace_.can_act());
        auto* restore = menu->addAction(icon(u"refresh"_s), tr("Restore from quarantine"), this,
                                        &RegionsPage::restore);
        restore->setEnabled(!quarantined().empty() && workspace_.can_act());
        menu->addSeparator();
        menu->addAction(icon(u"shield"_s), tr("Policy…"), this, &RegionsPage::show_policy)
            ->setEnabled(the_one() != nullptr);
        menu->addAction(icon(u"key"_s), tr("Rotate key…"), this, &RegionsPage::rotate_key)
            ->setEnabled(the_one() && workspace_.can_act() && RotateDialog::applies_to(*the_one()));
    });
    set_main(table_);
    show_counts();
    show_selection();
}

void RegionsPage::build_actions() {
    auto* pause = make_tool(u"pause"_s, tr("Pause"), u"Ctrl+P"_s);
    pause->setCheckable(true);
    connect(pause, &QToolButton::toggled, this, [this, pause](bool paused) {
        workspace_.set_paused(paused);
        pause->setIcon(icon(paused ? u"play"_s : u"pause"_s));
    });
    auto* save = make_tool(u"export"_s, tr("Export shown regions"), u"Ctrl+E"_s);
    connect(save, &QToolButton::clicked, this, &RegionsPage::export_shown);
    auto* details = make_details_tool();
    connect(details, &QToolButton::toggled, details_, &QWidget::setVisible);
    auto* cleanup = make_button(u"broom"_s, tr("Clean up…"), this, [this] {
        (new CleanupDialog(workspace_, CleanupDialog::Scope::due, window()))->open();
    });
    cleanup->setEnabled(workspace_.can_act());
    deallocate_ = make_button(u"trash"_s, tr("Deallocate…"), this, &RegionsPage::deallocate);
    policy_ = make_button(u"shield"_s, tr("Policy…"), this, &RegionsPage::show_policy);
    rotate_ = make_button(u"key"_s, tr("Rotate key…"), this, &RegionsPage::rotate_key);
    auto* remove = new QAction(this);
    remove->setShortcut(QKeySequence::Delete);
    remove->setShortcutContext(Qt::WidgetShortcut);
    connect(remove, &QAction::triggered, this, &RegionsPage::deallocate);
    table_->addAction(remove);
    add_actions({pause, table_->make_columns_tool(), save, details, rotate_, policy_, cleanup,
                 deallocate_});
}

void RegionsPage::set_filter_text(const QString& text) {
    filter_->set_text(text);
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

// A line that cannot be understood leaves the table as it was.
void RegionsPage::apply_filter(const QString& text) {
    auto filter = RegionFilter::parse(text.toStdString());
    filter_->show_problem(filter ? nullptr : &filter.error());
    if (filter) table_->regions().set_filter(std::move(*filter));
}

void RegionsPage::show_counts() {
    const auto shown = table_->regions().shown(), total = table_->regions().total();
    filter_->show_counts(shown, total);
    set_subtitle(total == 0 ? tr("All shared memory regions, live")
                            : pluralize(total, "region", "regions"));
    stack_->setCurrentIndex(shown > 0 ? 0 : total == 0 ? 1 : 2);
}

void RegionsPage::show_selection() {
    auto keys = table_->selected_keys();
    deallocate_->setEnabled(!keys.empty() && workspace_.can_act());
    const auto* one = the_one();
    policy_->setEnabled(one != nullptr);
    rotate_->setVisible(one && workspace_.can_act() && RotateDialog::applies_to(*one));
    workspace_.select(std::move(keys));
}

const RegionInfo* RegionsPage::the_one() const {
    const auto keys = table_->selected_keys();
    const auto* entry = keys.size() == 1 ? workspace_.regions().find(keys.front()) : nullptr;
    return entry ? &entry->row.info : nullptr;
}

void RegionsPage::show_policy() {
    if (const auto* one = the_one()) (new PolicyDialog(workspace_, one->id, window()))->open();
}

void RegionsPage::rotate_key() {
    if (const auto* one = the_one()) (new RotateDialog(workspace_, *one, window()))->open();
}

void RegionsPage::deallocate() {
    std::vector<RegionInfo> targets;
    for (const auto& key : table_->selected_keys())
        if (const auto* entry = workspace_.regions().find(key)) targets.push_back(entry->row.info);
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
                QMessageBox::warning(window(), tr("Restore"), error_text(next.error()));
            });
}

void RegionsPage::export_shown() {
    const auto name = QFileDialog::getSaveFileName(
        this, tr("Export shown regions"), u"regions.csv"_s, tr("CSV (*.csv);;JSON (*.json)"));
    if (name.isEmpty()) return;
    QList<int> rows(table_->regions().rowCount());
    std::iota(rows.begin(), rows.end(), 0);
    const bool json = name.endsWith(u".json"_s, Qt::CaseInsensitive);
    const auto columns = table_->shown_columns();
    const auto text =
        json ? to_json(table_->regions(), rows, columns) : to_csv(table_->regions(), rows, columns);
    // The dialog has asked whether a file that is there may go.
    const auto written =
        write_output(name.toStdString(), text.toStdString(), {.replace = QFileInfo::exists(name)});
    if (!written) QMessageBox::warning(this, tr("Export"), error_text(written.error()));
}

}  // namespace snakepit::shm::ui
