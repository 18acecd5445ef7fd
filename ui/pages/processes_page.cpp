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
    : Page(tr("Processes"), tr("Connected programs and what they hold"), parent),
      workspace_(workspace),
      model_(new ClientModel(workspace, this)),
      table_(new TableView(QStringLiteral("processes"))),
      stack_(new QStackedWidget),
      holdings_card_(new Card(tr("Regions of the selected program"))),
      holdings_(new RegionTable(workspace, QStringLiteral("holdings"))) {
    table_->setModel(model_);
    table_->set_default_columns(
        {kClientProcess, kClientPid, kClientStatus, kClientHolds, kClientBytes, kClientOwns,
         kClientConnected, kClientWorker, kClientPool},
        {150, 80, 120, 200, 110, 70, 100, 130, 110});
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->setAccessibleName(tr("Programs"));
    table_->restore_layout();
    stack_->addWidget(table_);
    stack_->addWidget(
        new EmptyState(QStringLiteral("connected"), tr("No program is connected"),
                       tr("Programs appear here when they connect to this instance: %1")
                           .arg(workspace.command(QStringLiteral("demo")))));
    auto* card = new Card;
    card->body()->addWidget(stack_);
    holdings_->set_default_columns({kColumnId, kColumnState, kColumnSize, kColumnReferences,
                                    kColumnIdle, kColumnOwner, kColumnPolicy, kColumnHeldBy});
    holdings_->setAccessibleName(tr("Regions of the selected program"));
    holdings_->restore_layout();
    holdings_card_->set_note(tr("held or owned; the registry names five holders of a region"));
    holdings_card_->body()->addWidget(holdings_);
    body()->addWidget(make_split(Qt::Vertical, {card, holdings_card_}, {380, 280}), 1);
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &ProcessesPage::choose);
    connect(holdings_, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        Q_EMIT workspace_.show_region(index.data(kIdRole).toString());
    });
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible()) refresh();
    });
    set_main(table_);
    choose();
}

void ProcessesPage::showEvent(QShowEvent* event) {
    Page::showEvent(event);
    refresh();
}

void ProcessesPage::refresh() {
    model_->refresh();
    const int count = model_->rowCount();
    stack_->setCurrentIndex(count > 0 ? 0 : 1);
    holdings_card_->setVisible(count > 0);
    set_subtitle(count > 0
                     ? tr("%1, connected or %2")
                           .arg(counted(static_cast<std::uint64_t>(count), "program", "programs"),
                                to_qstring(kNotReconnected))
                     : tr("Connected programs and what they hold"));
    if (count > 0 && !table_->selectionModel()->hasSelection()) table_->selectRow(0);
}

void ProcessesPage::choose() {
    const auto rows = table_->selected_rows();
    pid_ = rows.isEmpty() ? 0 : model_->client(rows.front()).pid;
    holdings_card_->set_title(
        pid_ ? tr("Regions of %1 (%2)")
                   .arg(QString::fromStdString(model_->client(rows.front()).process))
                   .arg(pid_)
             : tr("Regions of the selected program"));
    holdings_->regions().set_scope(
        [pid = pid_](const RegionRow& row) { return pid != 0 && concerns(row, pid); });
}

}  // namespace snakepit::shm::ui
