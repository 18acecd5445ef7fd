// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/memory_page.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QSplitter>
#include <algorithm>

#include "ui/graphs/memory_graph.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/region_table.h"
#include "ui/pages/split.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kLowShare = 0.1;  // of the file system: below it, the free figure warns

}  // namespace

MemoryPage::MemoryPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Memory"), tr("Used, reserved and free, over time and by region"), parent),
      used_(new FigureCard(u"memory"_s, tr("Used"))),
      reserved_(new FigureCard(u"regions"_s, tr("Reserved"))),
      free_(new FigureCard(u"host"_s, tr("Free in /dev/shm"))),
      peak_(new FigureCard(u"performance"_s, tr("Peak"))),
      largest_(new RegionTable(workspace, u"largest"_s)) {
    body()->addWidget(new FigureRow({used_, reserved_, free_, peak_}));
    auto* graph_card = new Card(tr("Over time"), new MemoryGraph(workspace));
    graph_card->set_note(tr("wheel zooms, drag pans, double click jumps to live"));
    auto* table_card = new Card(tr("Largest regions"), largest_);
    largest_->set_default_columns({kColumnId, kColumnState, kColumnSize, kColumnReserved,
                                   kColumnReferences, kColumnIdle, kColumnPlacement, kColumnOwner,
                                   kColumnHeldBy});
    largest_->setAccessibleName(tr("Largest regions"));
    largest_->horizontalHeader()->setSortIndicator(kColumnSize, Qt::DescendingOrder);
    largest_->restore_layout();
    connect(largest_, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        Q_EMIT workspace_.show_region(index.data(kIdRole).toString());
    });
    body()->addWidget(
        make_split(Qt::Vertical, {graph_card, below(largest_->make_filter(), table_card)},
                   {380, 300}),
        1);
    while_visible(this, &workspace, &Workspace::ticked, [this] { refresh(); });
}

void MemoryPage::refresh() {
    const auto* sample = workspace_.latest();
    if (!sample && workspace_.past())
        for (auto* figure : {used_, reserved_, free_, peak_})
            figure->set_figure(u"–"_s, tr("not recorded"));
    if (!sample) return;
    const auto regions = pluralize(sample->regions, "region", "regions");
    used_->set_figure(size_text(sample->bytes_used), tr("requested by %1").arg(regions));
    const auto over = sample->bytes_reserved > sample->bytes_used
                          ? sample->bytes_reserved - sample->bytes_used
                          : 0;
    reserved_->set_figure(size_text(sample->bytes_reserved),
                          tr("%1 more than requested").arg(size_text(over)));
    const bool low =
        static_cast<double>(sample->shm_free) < kLowShare * static_cast<double>(sample->shm_total);
    free_->set_figure(size_text(sample->shm_free), tr("of %1").arg(size_text(sample->shm_total)),
                      low && sample->shm_total > 0 ? Severity::caution : Severity::none);
    const auto& samples = workspace_.samples();
    const auto peak =
        std::max_element(samples.begin(), samples.end(),
                         [](const auto& a, const auto& b) { return a.bytes_used < b.bytes_used; });
    peak_->set_figure(size_text(peak->bytes_used),
                      tr("reached at %1").arg(short_clock_text({peak->time})));
}

}  // namespace snakepit::shm::ui
