// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/references_page.h"

#include <QHeaderView>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/graphs/reference_graph.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/region_table.h"
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kUnasked = 4;  // lines drawn when nothing is selected

}  // namespace

ReferencesPage::ReferencesPage(Workspace& workspace, QWidget* parent)
    : Page(tr("References"), tr("Who holds on to what, over time"), parent),
      workspace_(workspace),
      card_(new Card(tr("Reference counts"))),
      graph_(new ReferenceGraph(workspace)),
      table_(new RegionTable(workspace, QStringLiteral("references"))) {
    card_->body()->addWidget(graph_);
    auto* table_card = new Card(tr("Regions"));
    table_card->set_note(tr("select up to %1 to draw them").arg(ReferenceGraph::kMaxRegions));
    table_->set_default_columns({kColumnId, kColumnState, kColumnReferences, kColumnAccesses,
                                 kColumnSize, kColumnIdle, kColumnOwner, kColumnHeldBy});
    table_->horizontalHeader()->setSortIndicator(kColumnReferences, Qt::DescendingOrder);
    table_->restore_layout();
    table_card->body()->addWidget(table_);
    body()->addWidget(make_split(Qt::Vertical, {card_, table_card}, {360, 320}), 1);
    connect(table_, &RegionTable::selection_edited, this, [this] {
        if (isVisible()) workspace_.select(table_->selected_keys());
    });
    connect(&workspace, &Workspace::selection_changed, this, [this] {
        if (isVisible()) choose();
    });
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible() && workspace_.selection().empty() && faded()) choose();
    });
}

void ReferencesPage::showEvent(QShowEvent* event) {
    Page::showEvent(event);
    table_->select_keys(workspace_.selection());
    choose();
}

// Half of what is drawn without being asked for is gone: time to draw others.
bool ReferencesPage::faded() const {
    const auto& watched = graph_->watched();
    const auto alive = std::count_if(watched.begin(), watched.end(), [this](const RegionKey& key) {
        return workspace_.regions().find(key) != nullptr;
    });
    return 2 * static_cast<std::size_t>(alive) <= watched.size();
}

void ReferencesPage::choose() {
    auto keys = workspace_.selection();
    if (!keys.empty()) {
        card_->set_note(keys.size() > ReferenceGraph::kMaxRegions
                            ? tr("the first %1 of %2 selected")
                                  .arg(ReferenceGraph::kMaxRegions)
                                  .arg(keys.size())
                            : counted(keys.size(), "selected region", "selected regions"));
    } else {
        for (int row = 0; row < std::min(kUnasked, table_->regions().rowCount()); ++row)
            keys.push_back(table_->regions().entry(row)->key());
        card_->set_note(tr("nothing is selected: the first rows of the table below"));
    }
    graph_->watch(std::move(keys));
}

}  // namespace snakepit::shm::ui
