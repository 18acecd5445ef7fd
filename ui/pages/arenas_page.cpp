// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/arenas_page.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <unordered_map>

#include "ui/models/arena_model.h"
#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/user_names.h"
#include "ui/models/workspace.h"
#include "ui/pages/arena_map.h"
#include "ui/pages/split.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

template <typename Use>
void each_pooled(Workspace& workspace, Use use) {
    const auto& regions = workspace.regions();
    for (Slot slot = 0; slot < regions.frontier(); ++slot)
        if (const auto* entry = regions.at(slot); entry && !entry->row.info.arena.empty())
            use(entry->row.info);
}

QString region_text(const RegionInfo& region) {
    return QObject::tr("%1\n%2, %3, at %4")
        .arg(to_qstring(region.name.empty() ? region.id.str() : region.name),
             spoken_name(to_string(region.state)), size_text(region.size),
             count_text(region.offset));
}

QString outcome(const DefragmentResult& result) {
    auto text = result.moved > 0 ? QObject::tr("Moved %1, %2.")
                                       .arg(pluralize(result.moved, "region", "regions"),
                                            size_text(result.bytes))
                : result.in_use > 0 ? QObject::tr("No region was moved.")
                                    : QObject::tr("No region had to be moved.");
    if (result.arenas_returned > 0)
        text +=
            QObject::tr(" Released %1.").arg(pluralize(result.arenas_returned, "arena", "arenas"));
    if (result.in_use > 0)
        text += QObject::tr(" %1 in use and stay where they are.")
                    .arg(pluralize(result.in_use, "region is", "regions are"));
    return text;
}

}  // namespace

ArenasPage::ArenasPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Arenas"), tr("Segments that pooled regions share"), parent),
      model_(new ArenaModel(this)),
      table_(new TableView(u"arenas"_s)),
      map_(new ArenaMap([&workspace](const RegionId& id) {
          const auto* entry = workspace.regions().find(id);
          return entry ? region_text(entry->row.info) : tr("deallocated");
      })),
      map_card_(new Card(tr("Map"), map_)),
      empty_(new EmptyState(u"arenas"_s, tr("Loading the arenas…"), {})),
      stack_(make_stack({build_tables(), empty_})),
      count_(new FigureCard(u"arenas"_s, tr("Arenas"))),
      used_(new FigureCard(u"memory"_s, tr("Used"))),
      holes_(new FigureCard(u"regions"_s, tr("Holes"))),
      fragmentation_(new FigureCard(u"performance"_s, tr("Fragmentation"))),
      defragment_(make_button(u"broom"_s, tr("Defragment"), this, &ArenasPage::defragment)),
      busy_(make_busy()),
      note_(make_label({}, "muted")) {
    defragment_->setToolTip(
        tooltip_text(tr("Move idle regions together and release empty arenas: %1")
                         .arg(workspace.command(u"defragment"_s))));
    busy_->hide();
    note_->setWordWrap(true);
    note_->hide();
    add_actions({defragment_});
    body()->addWidget(new FigureRow({count_, used_, holes_, fragmentation_}));
    body()->addWidget(busy_);
    body()->addWidget(note_);
    body()->addWidget(stack_, 1);
    stack_->setCurrentIndex(1);
    defragment_->setEnabled(workspace.can_act());
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &ArenasPage::show_map);
    connect(map_, &ArenaMap::region_wanted, &workspace_, &Workspace::show_region);
    while_visible(this, &workspace, &Workspace::second_passed, [this] { ask(); });
    while_visible(this, &workspace, &Workspace::moment_changed, [this] { ask(); });
    connect(&workspace, &Workspace::moment_changed, this,
            [this] { defragment_->setEnabled(workspace_.can_act() && busy_->isHidden()); });
    set_main(table_);
}

QWidget* ArenasPage::build_tables() {
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->set_up(model_, tr("Arenas"),
                   {kArenaName, kArenaUser, kArenaRegions, kArenaSize, kArenaUsed, kArenaHoles,
                    kArenaLargest, kArenaReserved},
                   {280, 100, 80, 100, 100, 100, 110, 100}, TableView::Sorting::by_columns);
    auto* legend = make_row({}, nullptr);
    for (const auto state : {RegionState::live, RegionState::orphan, RegionState::closing,
                             RegionState::quarantined, RegionState::damaged}) {
        auto* chip = make_label({});
        set_chip(chip, spoken_name(to_string(state)), severity_of(state));
        legend->addWidget(chip, 0, Qt::AlignVCenter);
    }
    auto* box = new QWidget;
    box->setLayout(legend);
    map_card_->add_action(box);
    return make_split(Qt::Vertical, {new Card(table_), map_card_}, {300, 260});
}

void ArenasPage::on_shown() {
    ask();
}

void ArenasPage::ask() {
    if (workspace_.past())
        return show_none(tr("Arenas are not recorded"),
                         tr("Go back to live to see the current ones."));
    if (asking_ || (workspace_.paused() && model_->rowCount() > 0)) return;
    asking_ = true;
    workspace_.ask(
        this,
        [](ManagerPort& port) {
            auto report = port.arenas();
            if (report)
                for (const auto& arena : report->arenas) learn_user(arena.uid);
            return report;
        },
        [this](Result<ArenaReport> report) {
            asking_ = false;
            if (!workspace_.past()) receive(std::move(report));
        });
}

void ArenasPage::receive(Result<ArenaReport> report) {
    if (!report)
        return show_none(workspace_.unknown_title(tr("The arenas could not be loaded")),
                         error_text(report.error()));
    count_regions(report->arenas);
    model_->show(report->arenas);
    show_figures(*report);
    empty_->set_text(tr("There are no arenas"), tr("The first small private region creates one."));
    if (!table_->selectionModel()->hasSelection()) table_->selectRow(0);
    stack_->setCurrentIndex(model_->rowCount() > 0 ? 0 : 1);
    show_map();
    Q_EMIT loaded();
}

// Figures of another moment are not shown.
void ArenasPage::show_none(const QString& title, const QString& text) {
    model_->show({});
    for (auto* card : {count_, used_, holes_, fragmentation_}) card->set_figure(u"–"_s, {});
    empty_->set_text(title, text);
    stack_->setCurrentIndex(1);
    show_map();
    Q_EMIT loaded();
}

void ArenasPage::count_regions(std::vector<Arena>& arenas) {
    std::unordered_map<std::string_view, std::uint64_t> counts;
    each_pooled(workspace_, [&](const RegionInfo& region) { ++counts[region.arena]; });
    for (auto& arena : arenas)
        if (const auto found = counts.find(arena.name); found != counts.end())
            arena.regions = found->second;
}

void ArenasPage::show_figures(const ArenaReport& report) {
    const auto& total = report.total;
    const auto listed = static_cast<std::uint64_t>(report.arenas.size());
    count_->set_figure(count_text(report.count),
                       listed < report.count ? tr("%1 are listed").arg(count_text(listed))
                                             : tr("%1 in memory").arg(size_text(total.reserved)));
    used_->set_figure(size_text(total.used), tr("of %1").arg(size_text(total.size)));
    holes_->set_figure(size_text(total.holes),
                       tr("largest free: %1").arg(size_text(total.largest_free)));
    constexpr double kPercent = 100;
    fragmentation_->set_figure(u"%1 %"_s.arg(report.fragmentation * kPercent, 0, 'f', 1),
                               tr("holes between regions"));
}

void ArenasPage::show_map() {
    const auto rows = table_->selected_rows();
    const auto* arena = rows.isEmpty() ? nullptr : model_->row(rows.front());
    map_card_->set_title(arena ? tr("Map of %1").arg(visible_text(to_qstring(arena->name)))
                               : tr("Map"));
    std::vector<ArenaMap::Slice> slices;
    if (arena)
        each_pooled(workspace_, [&](const RegionInfo& region) {
            if (region.arena != arena->name) return;
            slices.push_back(
                {region.offset, region.actual_size, region.id, severity_of(region.state)});
        });
    std::sort(slices.begin(), slices.end(),
              [](const auto& a, const auto& b) { return a.offset < b.offset; });
    map_->show_arena(arena ? arena->size : 0, std::move(slices));
}

void ArenasPage::defragment() {
    defragment_->setEnabled(false);
    busy_->show();
    note_->hide();
    workspace_.act(
        this, [](ManagerPort& port) { return port.defragment(); },
        [this](const Result<DefragmentResult>& done) {
            busy_->hide();
            defragment_->setEnabled(workspace_.can_act());
            note_->setText(done ? outcome(*done) : error_text(done.error()));
            note_->show();
            ask();
        });
}

}  // namespace snakepit::shm::ui
