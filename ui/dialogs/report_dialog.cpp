// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/report_dialog.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QDateTimeEdit>
#include <QDesktopServices>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QStandardPaths>
#include <QStyle>
#include <QTimer>
#include <QUrl>
#include <QVBoxLayout>
#include <array>

#include "security/name_resolver.h"
#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/report/report_pdf.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kDay = 24 * 3600;                            // seconds
enum Period : int { kEverything = 0, kToday = -1, kBetween = -2 };  // above 0: that many seconds

struct FormatTraits {
    ReportFormat format;
    const char* name;
    const char* suffix;
    const char* about;
};
constexpr std::array<FormatTraits, 4> kFormats{{
    {ReportFormat::pdf, "PDF", "pdf",
     "Pages to read and print, with graphs and up to %1 rows. The command line offers HTML "
     "instead."},
    {ReportFormat::html, "HTML", "html", "One page for a browser, with graphs and all rows."},
    {ReportFormat::csv, "CSV", "csv", "All rows, for a spreadsheet."},
    {ReportFormat::json, "JSON", "json", "All rows, the summary and the graphs, for programs."},
}};

const FormatTraits& traits(ReportFormat format) {
    for (const auto& each : kFormats)
        if (each.format == format) return each;
    return kFormats.front();
}

Timestamp stamp(const QDateTime& time) {
    return {time.toMSecsSinceEpoch() * 1000};
}

// Names are looked up where it may take its time.
Result<PublicKey> write_for(AuditPort& port, ReportOrder order, const std::string& user,
                            ReportProgress& progress) {
    if (!user.empty()) {
        SystemNameResolver names;
        order.filter.uid = names.user(user);
        if (!order.filter.uid)
            return fail(ErrorCode::invalid_argument, "unknown user '" + user + "'",
                        "give a name or a number");
    }
    return port.write(order, progress);
}

}  // namespace

ReportDialog::ReportDialog(Workspace& workspace, const EventQuery& shown, QWidget* parent)
    : TaskDialog(workspace, tr("Export an audit report"),
                 tr("Events, a summary and the proof of the history in one signed file. Anyone can "
                    "verify it on any machine with the public key."),
                 parent),
      grid_(new QGridLayout),
      run_(make_primary(tr("Export"))),
      open_(make_button(u"details"_s, tr("Open"))),
      clock_(new QTimer(this)) {
    fit(700);
    grid_->setHorizontalSpacing(16);
    grid_->setVerticalSpacing(9);
    grid_->setColumnStretch(1, 1);
    body()->addLayout(grid_);
    add_formats();
    add_period();
    add_filters(shown);
    add_file();
    busy_ = make_busy();
    busy_->hide();
    body()->addWidget(busy_);
    body()->addStretch();
    add_command_line();
    open_->hide();
    add_action(open_);
    add_action(run_, this, &ReportDialog::start)->setFocus();
    clock_->setInterval(200);
    connect(clock_, &QTimer::timeout, this, &ReportDialog::show_progress);
    connect(open_, &QPushButton::clicked, this,
            [this] { QDesktopServices::openUrl(QUrl::fromLocalFile(file_->text())); });
    set_format(ReportFormat::pdf);
}

ReportDialog::~ReportDialog() {
    if (progress_) progress_->cancelled = true;
}

void ReportDialog::add_row(const QString& name, QWidget* field) {
    const int row = grid_->rowCount();
    if (!name.isEmpty()) grid_->addWidget(make_label(name, "muted"), row, 0);
    grid_->addWidget(field, row, 1);
}

void ReportDialog::add_formats() {
    formats_ = new QButtonGroup(this);
    auto* row = make_row({});
    for (const auto& each : kFormats) {
        auto* choice = new QToolButton;
        choice->setObjectName(u"choice"_s);
        choice->setText(QLatin1String(each.name));
        choice->setCheckable(true);
        formats_->addButton(choice, static_cast<int>(each.format));
        row->insertWidget(row->count() - 1, choice);
    }
    auto* box = new QWidget;
    box->setLayout(row);
    add_row(tr("Format"), box);
    format_note_ = make_label({}, "muted");
    format_note_->setWordWrap(true);
    add_row({}, format_note_);
    connect(formats_, &QButtonGroup::idClicked, this,
            [this](int id) { set_format(static_cast<ReportFormat>(id)); });
}

void ReportDialog::add_period() {
    period_ = new QComboBox;
    period_->addItem(tr("Everything"), kEverything);
    period_->addItem(tr("Today"), kToday);
    period_->addItem(tr("The last 24 hours"), static_cast<int>(kDay));
    period_->addItem(tr("The last 7 days"), static_cast<int>(7 * kDay));
    period_->addItem(tr("The last 30 days"), static_cast<int>(30 * kDay));
    period_->addItem(tr("Between…"), kBetween);
    add_row(tr("Period"), period_);
    auto now = QDateTime::currentDateTime();
    now.setTime(QTime(now.time().hour(), now.time().minute()));  // as precise as it is shown
    since_ = new QDateTimeEdit(now.addDays(-7));
    until_ = new QDateTimeEdit(now);
    for (auto* edit : {since_, until_}) {
        edit->setDisplayFormat(u"yyyy-MM-dd  HH:mm"_s);
        edit->setCalendarPopup(true);
        connect(edit, &QDateTimeEdit::dateTimeChanged, this, &ReportDialog::check);
    }
    between_ = make_row_box({since_, make_label(tr("and"), "muted"), until_}, until_);
    add_row({}, between_);
    add_row({}, period_problem_ = make_problem());
    period_->setAccessibleName(tr("Period"));
    connect(period_, &QComboBox::currentIndexChanged, this, &ReportDialog::check);
}

void ReportDialog::add_filters(const EventQuery& shown) {
    user_ = new QLineEdit;
    user_->setPlaceholderText(tr("all users, or a name or number"));
    add_row(tr("User"), user_);
    region_ = new QLineEdit(shown.region_id ? QString::fromStdString(*shown.region_id) : QString());
    region_->setPlaceholderText(tr("all regions, or an id"));
    add_row(tr("Region"), region_);
    add_row({}, region_problem_ = make_problem());
    kind_ = new QComboBox;
    kind_->addItem(tr("All events"), 0);
    for (const auto kind : all_event_kinds())
        kind_->addItem(event_title(kind), static_cast<int>(kind));
    if (shown.kind) kind_->setCurrentIndex(kind_->findData(static_cast<int>(*shown.kind)));
    add_row(tr("Kind"), kind_);
    connect(kind_, &QComboBox::currentIndexChanged, this, &ReportDialog::check);
    for (auto* field : {user_, region_})
        connect(field, &QLineEdit::textChanged, this, &ReportDialog::check);
    user_->setAccessibleName(tr("User"));
    region_->setAccessibleName(tr("Region"));
    kind_->setAccessibleName(tr("Kind"));
}

void ReportDialog::add_file() {
    const QDir home(QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation));
    file_ = new QLineEdit(home.filePath(u"audit-%1-%2.pdf"_s.arg(
        workspace_.instance(), QDate::currentDate().toString(Qt::ISODate))));
    file_->setAccessibleName(tr("File"));
    auto* browse = make_button(u"search"_s, tr("Browse…"), this, &ReportDialog::choose_file);
    browse->setAutoDefault(false);
    connect(file_, &QLineEdit::textChanged, this, [this] {
        replaced_.clear();
        check();
    });
    add_row(tr("File"), make_row_box({file_, browse}, file_));
}

ReportFormat ReportDialog::format() const {
    return static_cast<ReportFormat>(formats_->checkedId());
}

void ReportDialog::set_format(ReportFormat format) {
    formats_->button(static_cast<int>(format))->setChecked(true);
    const auto& chosen = traits(format);
    auto about = tr(chosen.about);
    if (format == ReportFormat::pdf) about = about.arg(count_text(kReportRows));
    say(format_note_, about);
    const QFileInfo now(file_->text());
    for (const auto& each : kFormats)
        if (now.suffix() == QLatin1String(each.suffix))
            file_->setText(
                now.dir().filePath(now.completeBaseName() + u'.' + QLatin1String(chosen.suffix)));
    check();
}

void ReportDialog::set_file(const QString& file) {
    file_->setText(file);
}

void ReportDialog::choose_file() {
    const auto& chosen = traits(format());
    const auto name = QFileDialog::getSaveFileName(
        this, tr("Export an audit report"), file_->text(),
        u"%1 (*.%2)"_s.arg(QLatin1String(chosen.name), QLatin1String(chosen.suffix)));
    if (name.isEmpty()) return;
    file_->setText(name);
    if (QFileInfo::exists(name)) replaced_ = name;  // that dialog has asked
}

EventQuery ReportDialog::filter() const {
    EventQuery query;
    const int period = period_->currentData().toInt();
    const auto now = QDateTime::currentDateTime();
    if (period > 0) query.since = stamp(now.addSecs(-period));
    if (period == kToday) query.since = stamp(QDate::currentDate().startOfDay());
    if (period == kBetween) {
        query.since = stamp(since_->dateTime());
        query.until = stamp(until_->dateTime());
    }
    if (const auto id = region_->text().trimmed(); !id.isEmpty())
        query.region_id = id.toStdString();
    if (const int kind = kind_->currentData().toInt()) query.kind = static_cast<EventKind>(kind);
    return query;
}

QString ReportDialog::command() const {
    const auto shown = format() == ReportFormat::pdf ? ReportFormat::html : format();
    auto file = file_->text();
    if (shown != format() && file.endsWith(u".pdf"_s)) file.replace(file.size() - 3, 3, u"html"_s);
    auto words = u"audit export --format %1 -o %2"_s.arg(QLatin1String(traits(shown).suffix),
                                                         shell_word(file));
    const auto query = filter();
    const auto add = [&](const char* option, const QString& value) {
        words += u" --%1 %2"_s.arg(QLatin1String(option), shell_word(value));
    };
    if (query.since) add("since", QString::fromStdString(to_rfc3339(*query.since)));
    if (query.until) add("until", QString::fromStdString(to_rfc3339(*query.until)));
    if (const auto user = user_->text().trimmed(); !user.isEmpty()) add("user", user);
    if (query.region_id) add("region", QString::fromStdString(*query.region_id));
    if (query.kind) add("kind", to_qstring(to_string(*query.kind)));
    return workspace_.command(words);
}

void ReportDialog::check() {
    const bool between = period_->currentData().toInt() == kBetween;
    between_->setVisible(between);
    const bool backwards = between && since_->dateTime() >= until_->dateTime();
    show_problem(period_problem_, backwards ? tr("The start must be before the end.") : QString());
    const auto id = region_->text().trimmed();
    const auto parsed =
        id.isEmpty() ? Result<RegionId>(RegionId{}) : RegionId::parse(id.toStdString());
    show_problem(region_problem_, parsed ? QString() : error_text(parsed.error()));
    region_->setProperty("invalid", !parsed);
    region_->style()->polish(region_);
    run_->setEnabled(!progress_ && parsed && !backwards && !file_->text().trimmed().isEmpty());
    open_->hide();
    run_->setText(tr("Export"));
    set_command(command());
}

void ReportDialog::start() {
    const auto file = file_->text().trimmed();
    if (QFileInfo::exists(file) && file != replaced_) {
        replaced_ = file;
        set_message(tr("%1 already exists.").arg(file), Severity::caution);
        run_->setText(tr("Replace"));
        return;
    }
    const ReportOrder order{format(), filter(), file.toStdString()};
    replaced_.clear();
    progress_ = std::make_shared<ReportProgress>();
    check();
    busy_->show();
    closer()->setText(tr("Cancel"));
    show_progress();
    clock_->start();
    workspace_.audit(
        this,
        [order, user = user_->text().trimmed().toStdString(),
         progress = progress_](AuditPort& port) { return write_for(port, order, user, *progress); },
        [this](const Result<PublicKey>& signer) { finish(signer); });
}

void ReportDialog::show_progress() {
    const auto bytes = progress_->bytes.load();
    set_message(bytes == 0 ? tr("Verifying and summarizing the history…")
                           : tr("Writing: %1 so far…").arg(size_text(bytes)),
                Severity::neutral);
}

void ReportDialog::finish(const Result<PublicKey>& signer) {
    clock_->stop();
    progress_.reset();
    busy_->hide();
    check();
    closer()->setText(tr("Close"));
    if (signer) {
        const auto key = QString::fromStdString(to_hex(*signer));
        set_message(tr("Written to %1, signed by %2.").arg(file_->text(), key), Severity::good);
        set_command(
            workspace_.command(u"audit verify %1 --key %2"_s.arg(shell_word(file_->text()), key)));
        open_->show();
    } else {
        set_message(tr("The report was not written. %1").arg(error_text(signer.error())),
                    Severity::bad);
    }
    Q_EMIT finished_run(signer.has_value());
}

}  // namespace snakepit::shm::ui
