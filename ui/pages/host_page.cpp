// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/host_page.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/dialogs/host_clean_dialog.h"
#include "ui/graphs/host_graph.h"
#include "ui/icons.h"
#include "ui/models/format.h"
#include "ui/models/host_model.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/host_details.h"
#include "ui/pages/host_totals_view.h"
#include "ui/pages/split.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr qint64 kSurveyMillis = 5000;  // between surveys while somebody looks
constexpr qint64 kHistoryMillis = 30'000;

struct Sum {
    std::uint64_t count = 0, bytes = 0;
};

QString of(const Sum& sum) {
    return sum.count == 0 ? HostPage::tr("none") : size_text(sum.bytes);
}

}  // namespace

// What a survey found, prepared on the worker thread.
struct HostPage::Look {
    HostRows rows;
    Sum all, left_over, in_use, ours;
    std::uint64_t total = 0, free = 0;
    QString limits;

    static Look of(HostSurvey survey) {
        Look look;
        for (const auto& segment : survey.segments) {
            const auto add = [&segment](Sum& sum) { ++sum.count, sum.bytes += segment.size; };
            add(look.all);
            if (segment.verdict == SegmentVerdict::left_over) add(look.left_over);
            if (segment.verdict == SegmentVerdict::in_use) add(look.in_use);
            if (segment.verdict == SegmentVerdict::ours) add(look.ours);
        }
        look.total = survey.shm_total;
        look.free = survey.shm_free;
        QStringList limits;
        for (const auto& limit : survey.limits) limits << QString::fromStdString(limit);
        look.limits = limits.join(u"; "_s);
        look.rows = host_rows(std::move(survey.segments));
        return look;
    }
};

HostPage::HostPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Host"), tr("All shared memory segments on this host"), parent),
      model_(new HostModel(this)),
      table_(new TableView(u"host"_s)),
      details_(new HostDetails(workspace)),
      empty_(new EmptyState(u"host"_s, tr("Reading the host's segments…"), {})),
      totals_(new HostTotalsView),
      stack_(make_stack({table_, empty_, totals_})) {
    build_actions();
    body()->addWidget(build_figures());
    body()->addWidget(build_filter());
    auto* segments = make_split(build_table(), details_, {880, 340}, u"host_splitter"_s);
    body()->addWidget(make_split(Qt::Vertical, {segments, build_history()}, {460, 200}), 1);
    while_visible(this, &workspace, &Workspace::second_passed, [this] { on_second(); });
    connect(&workspace, &Workspace::moment_changed, this, &HostPage::show_moment);
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        since_.invalidate();  // figures and chips take their colours with the next look
        if (isVisible()) survey();
    });
    set_main(table_);
    show_state();
    show_selection();
}

void HostPage::build_actions() {
    auto* refresh = make_tool(u"refresh"_s, tr("Refresh"), u"F5"_s);
    connect(refresh, &QToolButton::clicked, this, &HostPage::survey);
    guard(refresh);  // of a bundle there is one look
    auto* details = make_details_tool();
    connect(details, &QToolButton::toggled, details_, &QWidget::setVisible);
    clean_ = make_button(u"broom"_s, tr("Clean up…"), this, &HostPage::clean);
    if (workspace_.has_host())
        guard(clean_);
    else
        clean_->setEnabled(false);
    add_actions({refresh, table_->make_columns_tool(), details, clean_});
}

QWidget* HostPage::build_figures() {
    all_ = new FigureCard(u"host"_s, tr("Segments"));
    left_over_ = new FigureCard(u"orphan"_s, tr("Left over"));
    in_use_ = new FigureCard(u"processes"_s, tr("In use by others"));
    ours_ = new FigureCard(u"regions"_s, tr("Snakepit SHM"));
    room_ = new FigureCard(u"memory"_s, tr("Free in /dev/shm"));
    const auto filter = [this](FigureCard* figure, const QString& hint, const QString& text) {
        figure->lead_to(hint, [this, text] { set_filter_text(text); });
    };
    filter(all_, tr("Show all segments"), {});
    filter(left_over_, tr("Show segments that are left over"), u"verdict:left_over"_s);
    filter(in_use_, tr("Show segments in use"), u"verdict:in_use"_s);
    filter(ours_, tr("Show segments of Snakepit SHM"), u"verdict:ours"_s);
    return new FigureRow({all_, left_over_, in_use_, ours_, room_});
}

QWidget* HostPage::build_filter() {
    filter_ = new FilterLine(
        tr("Filter segments"),
        tr("Filter:  verdict:left_over  kind:posix  size>1MiB  program:python  users=0  words…"),
        u"segments"_s);
    limits_ = make_label({}, "muted");
    limits_->setWordWrap(true);
    limits_->hide();
    filter_->add_below(limits_);
    filter_->drive<HostFilter>([this](HostFilter filter) {
        model_->set_filter(std::move(filter));
        show_state();
    });
    return filter_;
}

QWidget* HostPage::build_table() {
    table_->set_up(model_, tr("Segments of the host"),
                   {kHostName, kHostKind, kHostVerdict, kHostSize, kHostProgram, kHostUsers,
                    kHostOwner, kHostTouched, kHostCreator, kHostResident},
                   {180, 76, 88, 74, 140, 124, 74, 80, 124, 82}, TableView::Sorting::by_columns);
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &HostPage::show_selection);
    connect(table_, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(u"broom"_s), tr("Clean up…"), this, &HostPage::clean)
            ->setEnabled(clean_->isEnabled());
    });
    return new Card(stack_);
}

QWidget* HostPage::build_history() {
    graph_ = new HostGraph;
    graph_->lead(workspace_);
    connect(graph_, &HostGraph::span_changed, this, &HostPage::ask_history);
    no_history_ = new EmptyState(u"performance"_s, tr("Nothing is recorded yet"), {});
    history_stack_ = make_stack({graph_, no_history_});
    history_by_ = new ChoiceRow({tr("Programs"), tr("Users"), tr("Groups")});
    connect(history_by_, &ChoiceRow::chosen, this, &HostPage::ask_history);
    auto* card = new Card(tr("Over time"), history_stack_);
    card->add_action(history_by_);
    history_stack_->setCurrentWidget(no_history_);
    return card;
}

void HostPage::set_filter_text(const QString& text) {
    filter_->set_text(text);
}

void HostPage::on_second() {
    if (!since_.isValid() || since_.elapsed() >= kSurveyMillis) survey();
    if (!history_since_.isValid() || history_since_.elapsed() >= kHistoryMillis) ask_history();
}

void HostPage::ask_history() {
    if (asking_history_ || !workspace_.has_host()) return;
    asking_history_ = true;
    const auto by = kTotalsBy.at(static_cast<std::size_t>(history_by_->current()));
    const auto span = std::max<std::int64_t>(HostGraph::kLongest, graph_->span());
    workspace_.survey(
        this,
        [by, span, past = workspace_.shown_until()](HostPort& port) {
            const auto to = past.value_or(now());
            return port.history(by, {to.micros - span * 1'000'000}, to, HostGraph::kMostPoints,
                                HostGraph::kMostLines);
        },
        [this, by, span, past = workspace_.shown_until()](const auto& series) {
            asking_history_ = false;
            history_since_.start();
            if (past != workspace_.shown_until()) return ask_history();
            show_history(series);
            // Another kind or a longer time was chosen meanwhile.
            if (span < graph_->span() ||
                by != kTotalsBy.at(static_cast<std::size_t>(history_by_->current())))
                ask_history();
        });
}

void HostPage::show_history(const Result<std::vector<HostSeries>>& series) {
    const bool any = series && !series->empty();
    if (any) graph_->show_series(*series, seconds(shown_now().micros));
    if (!series)
        no_history_->set_text(workspace_.unknown_title(tr("The history could not be read")),
                              error_text(series.error()));
    else if (!any)
        no_history_->set_text(tr("Nothing is recorded yet"),
                              tr("A manager records the host's shared memory once a minute."));
    history_stack_->setCurrentIndex(any ? 0 : 1);
}

void HostPage::survey() {
    const bool settled =
        workspace_.past() || ((workspace_.bundle() || workspace_.paused()) && since_.isValid());
    if (asking_ || settled || !workspace_.has_host()) return;
    asking_ = true;
    workspace_.survey(
        this,
        [](HostPort& port) -> Result<Look> {
            SHM_ASSIGN(auto survey, port.survey());
            return Look::of(std::move(survey));
        },
        [this](Result<Look> look) {
            asking_ = false;
            since_.start();
            if (workspace_.past()) return;
            if (look) at_ = now();
            receive(std::move(look));
        });
}

void HostPage::receive(Result<Look> look) {
    failure_ = look ? QString() : error_text(look.error());
    if (look) {
        show_figures(*look);
        model_->show(std::move(look->rows));
    } else if (model_->total() > 0) {
        // The rows of an earlier survey stay.
        show_limits(tr("The segments of %1 are shown. %2").arg(short_clock_text(at_), failure_));
    }
    show_state();
    show_selection();
    Q_EMIT surveyed();
}

void HostPage::show_figures(const Look& look) {
    all_->set_figure(count_text(look.all.count), size_text(look.all.bytes));
    left_over_->set_figure(count_text(look.left_over.count), of(look.left_over),
                           look.left_over.count ? Severity::caution : Severity::none);
    in_use_->set_figure(count_text(look.in_use.count), of(look.in_use));
    ours_->set_figure(count_text(look.ours.count), of(look.ours));
    room_->set_figure(size_text(look.free), tr("of %1").arg(size_text(look.total)));
    show_limits(look.limits);
}

void HostPage::show_limits(const QString& text) {
    say(limits_, text);
    limits_->setVisible(!text.isEmpty());
}

// Totals of programs, users and groups in place of segments, which are not recorded.
void HostPage::show_moment() {
    since_.invalidate();
    history_since_.invalidate();
    const bool past = workspace_.past().has_value();
    filter_->setVisible(!past);
    details_->setVisible(!past);
    if (isVisible()) ask_history();
    if (!past) {
        show_state();
        if (isVisible()) survey();
        return;
    }
    if (!workspace_.has_host()) return;
    const auto moment = workspace_.past()->state.moment;
    workspace_.survey(
        this, [moment](HostPort& port) { return port.at(moment); },
        [this, moment](const Result<std::optional<HostRecord>>& record) {
            if (workspace_.past() && workspace_.past()->state.moment == moment) show_record(record);
        });
}

void HostPage::show_record(const Result<std::optional<HostRecord>>& record) {
    const bool any = record && *record;
    for (auto* figure : {all_, left_over_, in_use_, ours_, room_})
        figure->set_figure(u"–"_s, tr("not recorded"));
    show_limits({});
    set_subtitle(tr("This host %1").arg(workspace_.past_words()));
    if (!any) {
        empty_->set_text(
            tr("Nothing is recorded of this moment"),
            record ? tr("No manager surveyed the host then.") : error_text(record.error()));
        stack_->setCurrentWidget(empty_);
        return;
    }
    const auto& all = (*record)->totals.all;
    const auto figure = [](FigureCard* card, double segments, double bytes) {
        card->set_figure(count_text(static_cast<std::uint64_t>(segments + 0.5)),
                         size_text(static_cast<std::uint64_t>(bytes)));
    };
    figure(all_, all.segments, all.bytes);
    figure(left_over_, all.left_segments, all.left_bytes);
    totals_->show_record(**record);
    show_limits(tr("Totals of %1 from %2 on; single segments are not recorded.")
                    .arg(duration_text((*record)->seconds * 1000),
                         short_clock_text((*record)->totals.time)));
    stack_->setCurrentWidget(totals_);
}

void HostPage::show_state() {
    if (workspace_.past()) return;
    const auto shown = static_cast<std::size_t>(model_->rowCount()), total = model_->total();
    filter_->show_counts(shown, total);
    if (!workspace_.has_host())
        empty_->set_text(tr("The host's segments are not available"),
                         tr("The data was recorded on another host."));
    else if (!failure_.isEmpty() && total == 0)
        empty_->set_text(workspace_.unknown_title(tr("The host's segments could not be read")),
                         failure_);
    else if (total > 0)
        empty_->set_text(tr("No segment matches"),
                         tr("The filter hides all segments. Press Esc to clear it."));
    else if (since_.isValid())
        empty_->set_text(tr("No shared memory on this host"),
                         tr("No POSIX, System V or memfd segment was found."));
    stack_->setCurrentIndex(shown > 0 ? 0 : 1);
    const auto segments = pluralize(total, "segment", "segments");
    const auto& bundle = workspace_.bundle();
    if (total == 0)
        set_subtitle(bundle ? tr("All shared memory segments on %1 at that time").arg(bundle->host)
                            : tr("All shared memory segments on this host"));
    else
        set_subtitle(bundle ? tr("%1 on %2").arg(segments, bundle->host)
                     : workspace_.paused()
                         ? tr("%1 on this host at %2").arg(segments, short_clock_text(at_))
                         : tr("%1 on this host").arg(segments));
}

std::vector<std::string> HostPage::selected() const {
    std::vector<std::string> names;
    for (const int row : table_->selected_rows()) names.push_back(model_->row(row)->segment.name);
    return names;
}

void HostPage::show_selection() {
    const auto rows = table_->selected_rows();
    details_->show_hint(
        rows.size() < 2
            ? tr("Select a segment to see its details.")
            : tr("%1 selected")
                  .arg(pluralize(static_cast<std::uint64_t>(rows.size()), "segment", "segments")));
    details_->show_segment(rows.size() == 1 ? &model_->row(rows.front())->segment : nullptr);
}

void HostPage::clean() {
    auto* dialog = new HostCleanDialog(workspace_, selected(), window());
    connect(dialog, &HostCleanDialog::finished_run, this, &HostPage::survey);
    dialog->open();
}

}  // namespace snakepit::shm::ui
