// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/compare_dialog.h"

#include <QComboBox>
#include <QDateTimeEdit>
#include <QFileDialog>
#include <QGridLayout>
#include <QLineEdit>
#include <QProgressBar>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <numeric>

#include "platform/replace_file.h"
#include "ui/models/export.h"
#include "ui/models/user_names.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/save_file.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kHour = 3600 * kMicrosPerSecond;
constexpr int kTableHeight = 160;
constexpr QSize kWanted{1000, 640};
constexpr int kFileStretch = 100;  // a file's name gets what room there is
constexpr std::array kViews{ComparedBy::program, ComparedBy::worker, ComparedBy::user};

// As a worker reads it.
struct Choice {
    CaptureChooser::Kind kind{};
    Timestamp moment;
    std::string file;
};
Choice choice_of(const CaptureChooser& side) {
    return {side.kind(), side.moment(), side.file().toStdString()};
}

}  // namespace

// ---------------------------------------------------------------- one side

CaptureChooser::CaptureChooser(Workspace& workspace, const QString& name, Kind kind,
                               Timestamp moment)
    : kind_(new QComboBox), moment_(new QDateTimeEdit), file_(new QLineEdit) {
    kind_->setAccessibleName(name);
    kind_->addItem(workspace.bundle() ? tr("This bundle") : tr("Now"), static_cast<int>(Kind::now));
    kind_->addItem(tr("A recorded moment"), static_cast<int>(Kind::moment));
    kind_->addItem(tr("A bundle"), static_cast<int>(Kind::bundle));
    kind_->setCurrentIndex(static_cast<int>(kind));
    moment_->setAccessibleName(tr("%1: moment").arg(name));
    if (auto* digits = moment_->findChild<QLineEdit*>())
        digits->setAccessibleName(moment_->accessibleName());
    moment_->setDisplayFormat(u"yyyy-MM-dd HH:mm:ss"_s);
    moment_->setCalendarPopup(true);
    moment_->setDateTime(QDateTime::fromMSecsSinceEpoch(moment.micros / 1000));
    file_->setAccessibleName(tr("%1: bundle file").arg(name));
    file_->setPlaceholderText(tr("Bundle file"));
    auto* browse = make_button(u"search"_s, tr("Browse…"), this, &CaptureChooser::browse);
    browse->setAutoDefault(false);
    file_box_ = make_row_box({file_, browse}, file_);
    auto* row = make_row({kind_, moment_, file_box_}, file_box_);
    row->addStretch(1);
    row->setStretchFactor(file_box_, kFileStretch);
    setLayout(row);
    connect(kind_, &QComboBox::currentIndexChanged, this, &CaptureChooser::show_kind);
    connect(moment_, &QDateTimeEdit::dateTimeChanged, this, &CaptureChooser::changed);
    connect(file_, &QLineEdit::textChanged, this, &CaptureChooser::changed);
    show_kind();
}

CaptureChooser::Kind CaptureChooser::kind() const {
    return static_cast<Kind>(kind_->currentData().toInt());
}

Timestamp CaptureChooser::moment() const {
    return {moment_->dateTime().toMSecsSinceEpoch() * 1000};
}

QString CaptureChooser::file() const {
    return file_->text();
}

void CaptureChooser::choose_file(const QString& file) {
    kind_->setCurrentIndex(static_cast<int>(Kind::bundle));
    file_->setText(file);
}

QString CaptureChooser::word() const {
    switch (kind()) {
        case Kind::now:
            return u"now"_s;
        case Kind::moment:
            return moment_->dateTime().toUTC().toString(Qt::ISODate);
        case Kind::bundle:
            break;
    }
    return file().isEmpty() ? QString() : shell_word(file());
}

void CaptureChooser::show_kind() {
    moment_->setVisible(kind() == Kind::moment);
    file_box_->setVisible(kind() == Kind::bundle);
    Q_EMIT changed();
}

void CaptureChooser::browse() {
    const auto file = QFileDialog::getOpenFileName(this, tr("Open a bundle"), file_->text());
    if (!file.isEmpty()) file_->setText(file);
}

// --------------------------------------------------------------- the dialog

// Used by the worker, apart from `ended`.
struct CompareDialog::Reader {
    explicit Reader(Workspace& workspace)
        : events(workspace.event_source()),
          read_bundle(workspace.bundle_reader()),
          history([this](const EventQuery& query) { return events->query(query); }) {}

    // `not_known`: regions of which events were lost are counted there.
    Result<std::vector<RegionRow>> rows(const Choice& choice,
                                        const std::vector<RegionInfo>& present,
                                        std::uint64_t& not_known) {
        if (ended) return fail(ErrorCode::timeout, "the dialog was closed");
        if (choice.kind == CaptureChooser::Kind::now) return rows_of(present);
        if (choice.kind == CaptureChooser::Kind::bundle) return read_bundle(choice.file);
        SHM_ASSIGN(const auto state,
                   history.at(choice.moment, present, [this](std::int64_t) { return !ended; }));
        if (!state.recorded)
            return fail(ErrorCode::region_not_found, "no history of " + to_rfc3339(choice.moment),
                        "choose a later time, or a bundle from that time");
        not_known += state.not_known;
        return rows_of(state, &present);
    }
    Result<Compared> compare(const Choice& before, const Choice& after,
                             const std::vector<RegionInfo>& present) {
        Compared out;
        SHM_ASSIGN(auto old_rows, rows(before, present, out.not_known));
        SHM_ASSIGN(auto new_rows, rows(after, present, out.not_known));
        out.comparison = compare_regions(std::move(old_rows), std::move(new_rows));
        out.rows = DifferenceModel::rows_of(out.comparison);
        for (const auto& total : out.comparison.by(ComparedBy::user))
            learn_user(QString::fromStdString(total.name).toUInt());
        return out;
    }

    std::shared_ptr<EventSource> events;
    BundleRegionsReader read_bundle;
    RegionHistory history;
    std::atomic<bool> ended{false};
};

CompareDialog::CompareDialog(Workspace& workspace, std::optional<Timestamp> before, QWidget* parent)
    : TaskDialog(workspace, tr("Compare"),
                 tr("Compare two moments or bundles, or either with now. \"Replaced\" means that a "
                    "new region took the name of one that is gone."),
                 parent),
      reader_(std::make_shared<Reader>(workspace)),
      summary_(make_words("muted")),
      view_(new ChoiceRow({tr("Regions"), tr("Programs"), tr("Workers"), tr("Users")})),
      differences_(new DifferenceModel(this)),
      totals_(new ComparedTotalModel(this)),
      busy_(make_busy()),
      run_(make_primary(tr("Compare"))),
      export_(make_button(u"export"_s, tr("Export…"), this, &CompareDialog::export_shown)),
      background_(u"comparing"_s) {
    resize(kWanted);
    const auto now = shown_now();
    const auto then = before.value_or(Timestamp{now.micros - kHour});
    before_ = new CaptureChooser(workspace, tr("Before"), CaptureChooser::Kind::moment, then);
    after_ = new CaptureChooser(workspace, tr("After"), CaptureChooser::Kind::now, now);
    auto* sides = new QGridLayout;
    sides->setHorizontalSpacing(16);
    sides->setColumnStretch(1, 1);
    int row = 0;
    for (const auto& [name, side] : {std::pair{tr("Before"), before_}, {tr("After"), after_}}) {
        sides->addWidget(make_label(name, "muted"), row, 0);
        sides->addWidget(side, row++, 1);
        connect(side, &CaptureChooser::changed, this, &CompareDialog::forget);
    }
    body()->addLayout(sides);
    body()->addWidget(summary_);
    body()->addWidget(view_, 0, Qt::AlignLeft);
    build_table();
    busy_->hide();
    body()->addWidget(busy_);
    add_command_line();
    closer()->setText(tr("Close"));
    add_action(export_);
    add_action(run_, this, &CompareDialog::start)->setFocus();
    export_->setEnabled(false);
    connect(view_, &ChoiceRow::chosen, this, &CompareDialog::show_view);
    forget();
}

CompareDialog::~CompareDialog() {
    reader_->ended = true;
    reader_->events->interrupt();
}

void CompareDialog::build_table() {
    regions_table_ = new TableView(u"compare_regions"_s);
    regions_table_->set_up(differences_, tr("Regions that differ"), {0, 1, 6, 2, 3, 4, 5},
                           {96, 170, 250, 100, 104, 96, 130}, TableView::Sorting::by_columns);
    totals_table_ = new TableView(u"compare_totals"_s);
    totals_table_->set_up(totals_, tr("Totals"), {0, 1, 2, 3, 4, 5, 6},
                          {170, 100, 100, 100, 100, 70, 70}, TableView::Sorting::by_columns);
    tables_ = make_stack({regions_table_, totals_table_});
    tables_->setMinimumHeight(kTableHeight);
    body()->addWidget(new Card(tables_), 1);
}

void CompareDialog::check() {
    const auto before = before_->word(), after = after_->word();
    const bool complete = !before.isEmpty() && !after.isEmpty();
    allow(run_, complete && !busy_->isVisibleTo(this),
          complete ? QString() : tr("Choose a bundle file"));
    // The bundle that is shown has no name for the command line.
    const bool sayable = complete && !workspace_.bundle();
    set_command(sayable ? workspace_.command(u"compare %1 %2"_s.arg(before, after)) : QString());
}

void CompareDialog::start() {
    busy_->show();
    set_message({}, Severity::none);
    check();
    background_.run(
        this,
        [reader = reader_, before = choice_of(*before_), after = choice_of(*after_),
         present = workspace_.present()] { return reader->compare(before, after, *present); },
        [this](Result<Compared> found) { take(std::move(found)); });
}

void CompareDialog::take(Result<Compared> found) {
    busy_->hide();
    check();
    if (!found) {
        set_message(error_text(found.error()), Severity::bad);
        Q_EMIT compared(false);
        return;
    }
    comparison_ = std::move(found->comparison);
    const auto number = [this](RegionDifferenceKind kind) {
        return count_text(comparison_.count(kind));
    };
    const auto& total = comparison_.total;
    auto summary =
        tr("%1 before and %2 after: %3 added, %4 gone, %5 replaced, %6 changed, %7 unchanged. "
           "%8 became %9.")
            .arg(pluralize(total.regions_before, "region", "regions"),
                 count_text(total.regions_after), number(RegionDifferenceKind::added),
                 number(RegionDifferenceKind::gone), number(RegionDifferenceKind::replaced),
                 number(RegionDifferenceKind::changed), count_text(comparison_.same),
                 size_text(total.bytes_before), size_text(total.bytes_after));
    if (found->not_known > 0)
        summary += u' ' + tr("%1 not listed: events were lost, so it is unknown whether they "
                             "existed then.")
                              .arg(pluralize(found->not_known, "region is", "regions are"));
    say(summary_, summary);
    export_->setEnabled(true);
    differences_->show_differences(std::move(found->rows));
    show_view(view_->current());
    tables_->currentWidget()->setFocus();
    Q_EMIT compared(true);
}

// What is shown belongs to the sides as they were.
void CompareDialog::forget() {
    comparison_ = {};
    differences_->show_differences({});
    show_view(view_->current());
    say(summary_, tr("Choose two sides, then compare them."));
    export_->setEnabled(false);
    check();
}

void CompareDialog::show_view(int view) {
    view_->choose(view);
    tables_->setCurrentIndex(view == 0 ? 0 : 1);
    if (view > 0) totals_->show_totals(comparison_, kViews.at(static_cast<std::size_t>(view - 1)));
}

void CompareDialog::export_shown() {
    const auto file = ask_for_file(this, tr("Export the comparison"), u"comparison.csv"_s,
                                   {{"CSV", "csv"}, {"JSON", "json"}});
    if (!file) return;
    auto* table = static_cast<TableView*>(tables_->currentWidget());
    QList<int> rows(table->model()->rowCount());
    std::iota(rows.begin(), rows.end(), 0);
    const auto columns = table->shown_columns();
    const auto text = file->suffix == u"json" ? to_json(*table->model(), rows, columns)
                                              : to_csv(*table->model(), rows, columns);
    const auto written =
        write_output(file->path.toStdString(), text.toStdString(), {.replace = file->replace});
    if (!written) show_warning(this, tr("Export"), error_text(written.error()));
}

}  // namespace snakepit::shm::ui
