// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/references_page.h"

#include <QHeaderView>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/graphs/holder_lanes_view.h"
#include "ui/graphs/reference_graph.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/region_table.h"
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kUnasked = 4;       // lines drawn when nothing is selected
constexpr int kLaneRows = 5'000;  // newest events of a region that lanes are made from
constexpr int kLooks = 3;         // seconds until a change is in the database
constexpr int kLanes = 1;         // the view beside the counts

// What the registry shows of who holds it.
std::vector<std::uint64_t> holders_of(const RegionEntry& entry) {
    std::vector<std::uint64_t> out{entry.row.info.reference_count, entry.row.holders};
    for (const auto& holder : entry.row.info.references) {
        out.push_back(static_cast<std::uint64_t>(holder.pid));
        out.push_back(holder.count);
    }
    return out;
}

QString plot_note() {
    return QObject::tr("select up to %1 to plot").arg(ReferenceGraph::kMaxRegions);
}

QString legend_text() {
    return QObject::tr("Thick: read-write. Thin: read-only. Grey: ended. Hatched: unknown.");
}

QWidget* with_legend(HolderLanesView* lanes, ElidedLabel* legend) {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 8);
    column->addWidget(lanes, 1);
    legend->setIndent(10);
    column->addWidget(legend);
    return box;
}

}  // namespace

ReferencesPage::ReferencesPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("References"), tr("Reference counts of regions over time"), parent),
      graph_(new ReferenceGraph(workspace)),
      lanes_(new HolderLanesView),
      legend_(make_line(legend_text(), "muted")),
      stack_(make_stack({graph_, with_legend(lanes_, legend_)})),
      view_(new ChoiceRow({tr("Counts"), tr("Holders")})),
      card_(new Card(tr("Reference counts"), stack_)),
      table_(new RegionTable(workspace, u"references"_s)),
      regions_(new Card(tr("Regions"), table_)),
      feed_(workspace.event_source()) {
    card_->add_action(view_);
    connect(view_, &ChoiceRow::chosen, this, [this](int view) {
        stack_->setCurrentIndex(view);
        const bool holders = view == kLanes;
        card_->set_title(holders ? tr("Holders over time") : tr("Reference counts"));
        set_subtitle(holders ? tr("Processes that held a region, and when")
                             : tr("Reference counts of regions over time"));
        regions_->set_note(holders ? tr("select one to see its holders") : plot_note());
        lanes_of_ = {};
        choose();
    });
    connect(lanes_, &HolderLanesView::moment_wanted, &workspace, &Workspace::moment_wanted);
    connect(&workspace, &Workspace::moment_changed, this, [this] {
        if (isVisible() && view_->current() == kLanes) load_lanes();
    });
    regions_->set_note(plot_note());
    table_->set_default_columns({kColumnId, kColumnState, kColumnReferences, kColumnAccesses,
                                 kColumnSize, kColumnIdle, kColumnOwner, kColumnHeldBy});
    table_->horizontalHeader()->setSortIndicator(kColumnReferences, Qt::DescendingOrder);
    table_->restore_layout();
    body()->addWidget(
        make_split(Qt::Vertical, {card_, below(table_->make_filter(), regions_)}, {360, 320}), 1);
    while_visible(this, table_, &RegionTable::selection_edited, [this] {
        workspace_.select(table_->selected_keys(), table_->hidden_keys().size());
    });
    while_visible(this, &workspace, &Workspace::selection_changed, [this] { choose(); });
    connect(&workspace, &Workspace::second_passed, this, [this] {
        if (isVisible()) pass_second();
    });
}

void ReferencesPage::pass_second() {
    if (view_->current() != kLanes) {
        if (workspace_.selection().empty() && faded()) choose();
        return;
    }
    const auto* entry = workspace_.regions().find(lanes_of_);
    if (!entry) return choose();
    lanes_->set_until(shown_now());
    // Only what its own events may tell: they are in the database a moment later. Not before the
    // last answer has come.
    if (holders_of(*entry) != holders_) looks_due_ = kLooks;
    if (looks_due_ == 0 || feed_.busy()) return;
    --looks_due_;
    load_lanes();
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
    if (view_->current() == kLanes)
        choose_lanes();
    else
        choose_counts();
}

// One region: the first that is selected, or the first of the table.
void ReferencesPage::choose_lanes() {
    const auto& selection = workspace_.selection();
    const auto* entry = !selection.empty() ? workspace_.regions().find(selection.front())
                        : table_->regions().rowCount() > 0 ? table_->regions().entry(0)
                                                           : nullptr;
    if (!entry) {
        lanes_of_ = {};
        card_->set_note({});
        lanes_->set_empty_text(tr("No region"));
        lanes_->show_lanes({}, shown_now());
        return;
    }
    if (entry->key() == lanes_of_) return;
    lanes_of_ = entry->key();
    lanes_->show_lanes({}, shown_now());
    const auto id = QString::fromStdString(entry->row.info.id.str());
    card_->set_note(selection.size() > 1
                        ? tr("%1, the first of %2 selected").arg(id, count_text(selection.size()))
                    : selection.empty() ? tr("%1, the first row of the table below").arg(id)
                                        : id);
    load_lanes();
}

void ReferencesPage::load_lanes() {
    const auto* entry = workspace_.regions().find(lanes_of_);
    if (!entry) return;
    holders_ = holders_of(*entry);
    EventQuery query;
    query.region_id = entry->row.info.id.str();
    query.kinds = holder_lane_kinds();
    query.until = workspace_.shown_until();
    query.newest_first = true;
    query.limit = kLaneRows;
    lanes_->set_empty_text(tr("Reading the events…"));
    feed_.ask(query, [this](Result<std::vector<EventRow>> rows) {
        if (!rows) {
            lanes_->set_empty_text(error_text(rows.error()));
            return lanes_->show_lanes({}, shown_now());
        }
        std::reverse(rows->begin(), rows->end());
        lanes_->set_empty_text(
            tr("No holder is recorded. References held for less than a second are not "
               "recorded."));
        auto lanes = holder_lanes(*rows);
        legend_->set_text(lanes.unnamed == 0
                              ? legend_text()
                              : tr("%1 At times up to %2 more held it that no event names.")
                                    .arg(legend_text(), count_text(lanes.unnamed)));
        lanes_->show_lanes(std::move(lanes), shown_now());
    });
}

void ReferencesPage::choose_counts() {
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
