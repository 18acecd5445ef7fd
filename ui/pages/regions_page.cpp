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
    : Page(tr("Regions"), tr("Every region of shared memory, live"), parent),
      workspace_(workspace),
      filter_(new FilterLine(
          tr("Filter"),
          tr("Filter:  size>1MiB  owner:python  state:orphan  refs=0  age>10m  words…"))),
      table_(new RegionTable(workspace, QStringLiteral("regions"))),
      details_(new DetailsPane(workspace)),
      stack_(new QStackedWidget),
      nothing_(make_getting_started(workspace)),
      no_match_(new EmptyState(QStringLiteral("filter"), tr("No region matches"),
                               tr("Every region is hidden by the filter. Esc clears it."))) {
    table_->set_default_columns({kColumnId, kColumnState, kColumnSize, kColumnReferences,
                                 kColumnHeldBy, kColumnAge, kColumnIdle, kColumnOwner,
                                 kColumnWorker, kColumnPolicy});
    table_->restore_layout();
    build_actions();
    body()->addWidget(filter_);
    auto* card = new Card;
    stack_->addWidget(table_);
    stack_->addWidget(nothing_);
    stack_->addWidget(no_match_);
    card->body()->addWidget(stack_);
    body()->addWidget(make_split(card, details_, {900, 330}, QStringLiteral("regions_splitter")),
                      1);
    connect(filter_, &FilterLine::edited, this, &RegionsPage::apply_filter);
    connect(&table_->regions(), &RegionTableModel::counts_changed, this, &RegionsPage::show_counts);
    connect(table_, &RegionTable::selection_edited, this, &RegionsPage::show_selection);
    connect(&workspace, &Workspace::show_region, this, &RegionsPage::set_filter_text);
    connect(table_, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(QStringLiteral("trash")), tr("Deallocate…"), this,
                        &RegionsPage::deallocate)
            ->setEnabled(workspace_.can_act());
        auto* restore = menu->addAction(icon(QStringLiteral("refresh")),
                                        tr("Restore from quarantine"), this, &RegionsPage::restore);
        restore->setEnabled(!quarantined().empty() && workspace_.can_act());
        menu->addSeparator();
        menu->addAction(icon(QStringLiteral("shield")), tr("Policy…"), this,
                        &RegionsPage::show_policy)
            ->setEnabled(the_one() != nullptr);
        menu->addAction(icon(QStringLiteral("key")), tr("Rotate key…"), this,
                        &RegionsPage::rotate_key)
            ->setEnabled(the_one() && workspace_.can_act() && RotateDialog::applies_to(*the_one()));
    });
    set_main(table_);
    show_counts();
    show_selection();
}

void RegionsPage::build_actions() {
    auto* pause = make_tool(QStringLiteral("pause"), tr("Pause"), QStringLiteral("Ctrl+P"));
    pause->setCheckable(true);
    connect(pause, &QToolButton::toggled, this, [this, pause](bool paused) {
        workspace_.set_paused(paused);
        pause->setIcon(icon(paused ? QStringLiteral("play") : QStringLiteral("pause")));
    });
    auto* save =
        make_tool(QStringLiteral("export"), tr("Export what is shown"), QStringLiteral("Ctrl+E"));
    connect(save, &QToolButton::clicked, this, &RegionsPage::export_shown);
    auto* details = make_details_tool();
    connect(details, &QToolButton::toggled, details_, &QWidget::setVisible);
    auto* cleanup = make_button(QStringLiteral("broom"), tr("Clean up…"));
    connect(cleanup, &QPushButton::clicked, this, [this] {
        (new CleanupDialog(workspace_, CleanupDialog::Scope::due, window()))->open();
    });
    cleanup->setEnabled(workspace_.can_act());
    auto* deallocate = make_button(QStringLiteral("trash"), tr("Deallocate…"));
    connect(deallocate, &QPushButton::clicked, this, &RegionsPage::deallocate);
    deallocate_ = deallocate;
    policy_ = make_button(QStringLiteral("shield"), tr("Policy…"));
    connect(policy_, &QPushButton::clicked, this, &RegionsPage::show_policy);
    rotate_ = make_button(QStringLiteral("key"), tr("Rotate key…"));
    connect(rotate_, &QPushButton::clicked, this, &RegionsPage::rotate_key);
    auto* remove = new QAction(this);
    remove->setShortcut(QKeySequence::Delete);
    remove->setShortcutContext(Qt::WidgetShortcut);
    connect(remove, &QAction::triggered, this, &RegionsPage::deallocate);
    table_->addAction(remove);
    for (QWidget* action :
         std::initializer_list<QWidget*>{pause, table_->make_columns_tool(), save, details, rotate_,
                                         policy_, cleanup, deallocate})
        add_action(action);
}

void RegionsPage::set_filter_text(const QString& text) {
    filter_->set_text(text);
}

void RegionsPage::keep_selected(const QString& which) {
    connect(&workspace_, &Workspace::ticked, this, [this, which] {
        if (!table_->selected_keys().empty()) return;
        for (int row = 0; row < table_->regions().rowCount(); ++row) {
            const auto index = table_->regions().index(row, kColumnId);
            if (which != u"first" && index.data(kIdRole).toString() != which) continue;
            table_->selectRow(row);
            table_->scrollTo(index, QAbstractItemView::PositionAtCenter);
            return;
        }
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
    set_subtitle(total == 0 ? tr("Every region of shared memory, live")
                            : counted(total, "region", "regions"));
    QWidget* seen = total == 0   ? static_cast<QWidget*>(nothing_)
                    : shown == 0 ? no_match_
                                 : static_cast<QWidget*>(table_);
    if (stack_->currentWidget() != seen) stack_->setCurrentWidget(seen);
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
    const auto name = QFileDialog::getSaveFileName(this, tr("Export what is shown"),
                                                   QStringLiteral("regions.csv"),
                                                   tr("CSV (*.csv);;JSON (*.json)"));
    if (name.isEmpty()) return;
    QList<int> rows(table_->regions().rowCount());
    std::iota(rows.begin(), rows.end(), 0);
    const bool json = name.endsWith(QStringLiteral(".json"), Qt::CaseInsensitive);
    const auto columns = table_->shown_columns();
    const auto text =
        json ? to_json(table_->regions(), rows, columns) : to_csv(table_->regions(), rows, columns);
    // The dialog has asked whether a file that is there may go.
    const auto written =
        write_output(name.toStdString(), text.toStdString(), {.replace = QFileInfo::exists(name)});
    if (!written) QMessageBox::warning(this, tr("Export"), error_text(written.error()));
}

}  // namespace snakepit::shm::ui
