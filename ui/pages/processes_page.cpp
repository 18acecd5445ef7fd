// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/processes_page.h"

#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "layout/client_words.h"
#include "ui/models/client_model.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/worker_names.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/region_table.h"
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

bool concerns(const RegionRow& row, std::int64_t pid) {
    const auto& holders = row.info.references;
    return row.info.owner_pid == pid ||
           std::any_of(holders.begin(), holders.end(),
                       [pid](const auto& holder) { return holder.pid == pid; });
}

}  // namespace

ProcessesPage::ProcessesPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Processes"), tr("Connected programs and what they hold"), parent),
      model_(new ClientModel(this)),
      table_(new TableView(u"processes"_s)),
      filter_(
          new FilterLine(tr("Filter programs"),
                         tr("Filter:  program:python  size>1MiB  refs=0  worker:decode  age<1m  "
                            "words…"),
                         u"programs"_s)),
      stack_(make_stack(
          {table_,
           new EmptyState(u"connected"_s, tr("No program is connected"),
                          tr("Programs appear here when they connect to this instance: %1")
                              .arg(workspace.command(u"demo"_s))),
           new EmptyState(u"filter"_s, tr("No program matches"),
                          tr("The filter hides all programs. Press Esc to clear it.")),
           new EmptyState(u"connected"_s, tr("No programs at this moment"),
                          tr("The recorded events name none that was connected."))})),
      holdings_(new RegionTable(workspace, u"holdings"_s)),
      holdings_card_(new Card(tr("Regions of the selected program"), holdings_)) {
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->set_up(model_, tr("Programs"),
                   {kClientProcess, kClientPid, kClientStatus, kClientHolds, kClientBytes,
                    kClientOwns, kClientConnected, kClientWorker, kClientPool},
                   {150, 80, 162, 200, 110, 70, 100, 130, 80}, TableView::Sorting::by_columns);
    holdings_->set_default_columns({kColumnId, kColumnState, kColumnSize, kColumnReferences,
                                    kColumnIdle, kColumnOwner, kColumnCleanup, kColumnHeldBy});
    holdings_->setAccessibleName(tr("Regions of the selected program"));
    holdings_->set_empty_text(tr("This program holds and owns no regions."));
    holdings_->restore_layout();
    holdings_card_->set_note(
        tr("held or owned; the registry lists at most five holders per region"));
    body()->addWidget(
        make_split(Qt::Vertical, {below(filter_, new Card(stack_)), holdings_card_}, {380, 280}),
        1);
    filter_->drive<ClientFilter>([this](ClientFilter filter) {
        model_->set_filter(std::move(filter));
        refresh();
    });
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &ProcessesPage::choose);
    connect(holdings_, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        Q_EMIT workspace_.show_region(index.data(kIdRole).toString());
    });
    while_visible(this, &workspace, &Workspace::second_passed, [this] { refresh(); });
    set_main(table_);
    choose();
}

void ProcessesPage::refresh() {
    model_->refresh(workspace_);
    const auto count = static_cast<int>(model_->total());
    const int shown = model_->rowCount();
    filter_->show_counts(static_cast<std::size_t>(shown), model_->total());
    stack_->setCurrentIndex(shown > 0 ? 0 : count > 0 ? 2 : workspace_.past() ? 3 : 1);
    holdings_card_->setVisible(shown > 0);
    const auto& clients = workspace_.clients();
    const auto lost = static_cast<std::uint64_t>(std::count_if(
        clients.begin(), clients.end(), [](const auto& client) { return !client.connected; }));
    const auto programs = pluralize(static_cast<std::uint64_t>(count), "program", "programs");
    set_subtitle(workspace_.past() ? u"%1 %2"_s.arg(programs, workspace_.past_words())
                 : count == 0      ? tr("Connected programs and what they hold")
                 : lost == 0
                     ? programs
                     : u"%1, %2 %3"_s.arg(programs, count_text(lost), to_qstring(kNotReconnected)));
    if (shown > 0 && !table_->selectionModel()->hasSelection()) table_->selectRow(0);
}

void ProcessesPage::choose() {
    const auto rows = table_->selected_rows();
    const auto* client = rows.isEmpty() ? nullptr : model_->row(rows.front());
    pid_ = client ? client->info.pid : 0;
    holdings_card_->set_title(
        pid_ ? tr("Regions of %1").arg(process_text(client->info.process, pid_))
             : tr("Regions of the selected program"));
    holdings_->regions().set_scope(
        [pid = pid_](const RegionRow& row) { return pid != 0 && concerns(row, pid); });
}

}  // namespace snakepit::shm::ui
