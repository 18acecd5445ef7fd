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
#include "ui/pages/filter_line.h"
#include "ui/pages/region_table.h"
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kUnasked = 4;  // lines drawn when nothing is selected

}  // namespace

ReferencesPage::ReferencesPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("References"), tr("Reference counts of regions over time"), parent),
      graph_(new ReferenceGraph(workspace)),
      card_(new Card(tr("Reference counts"), graph_)),
      table_(new RegionTable(workspace, u"references"_s)) {
    auto* table_card = new Card(tr("Regions"), table_);
    table_card->set_note(tr("select up to %1 to plot").arg(ReferenceGraph::kMaxRegions));
    table_->set_default_columns({kColumnId, kColumnState, kColumnReferences, kColumnAccesses,
                                 kColumnSize, kColumnIdle, kColumnOwner, kColumnHeldBy});
    table_->horizontalHeader()->setSortIndicator(kColumnReferences, Qt::DescendingOrder);
    table_->restore_layout();
    body()->addWidget(
        make_split(Qt::Vertical, {card_, below(table_->make_filter(), table_card)}, {360, 320}), 1);
    while_visible(this, table_, &RegionTable::selection_edited, [this] {
        workspace_.select(table_->selected_keys(), table_->hidden_keys().size());
    });
    while_visible(this, &workspace, &Workspace::selection_changed, [this] { choose(); });
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible() && workspace_.selection().empty() && faded()) choose();
    });
}

void ReferencesPage::on_shown() {
    table_->select_keys(workspace_.selection());
    choose();
}

// Half of the regions that were chosen automatically are freed: time to draw others.
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
                            : pluralize(keys.size(), "selected region", "selected regions"));
    } else {
        for (int row = 0; row < std::min(kUnasked, table_->regions().rowCount()); ++row)
            if (const auto* entry = table_->regions().entry(row)) keys.push_back(entry->key());
        card_->set_note(keys.empty()
                            ? QString()
                            : tr("no selection: showing the first rows of the table below"));
    }
    graph_->watch(std::move(keys));
}

}  // namespace snakepit::shm::ui
