// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/time_line.h"

#include <QComboBox>
#include <QDateTimeEdit>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QProgressBar>
#include <QSlider>
#include <QToolButton>
#include <algorithm>

#include "ui/models/format.h"
#include "ui/models/time_travel.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kReachSeconds = 60;  // until the first record is asked for again
constexpr int kPage = 10;          // steps of Page up and Page down
constexpr int kFirstStep = 2;      // a minute
// Pixels: from here on there is room for the first record, and for the choice of the step.
constexpr int kWide = 760, kMedium = 660, kFirst = 150;
constexpr int kLeast = 420, kLeastSlider = 30;

struct Step {
    const char* name;
    int seconds;
};
constexpr Step kSteps[] = {
    {"1 second", 1},        {"10 seconds", 10},       {"1 minute", 60},
    {"10 minutes", 600},    {"1 hour", 3600},         {"1 day", 86'400},
    {"1 week", 7 * 86'400}, {"30 days", 30 * 86'400}, {"1 year", 365 * 86'400}};

QDateTime local(Timestamp time) {
    return QDateTime::fromMSecsSinceEpoch(time.micros / 1000);
}

}  // namespace

TimeLine::TimeLine(Workspace& workspace, TimeTravel& travel, QWidget* parent)
    : QFrame(parent), workspace_(workspace), travel_(travel) {
    setObjectName(u"time_line"_s);
    setAccessibleName(tr("Time line"));
    back_ = make_tool(u"back"_s, tr("Back by one step"), u"Alt+Left"_s);
    forward_ = make_tool(u"chevron"_s, tr("Forward by one step"), u"Alt+Right"_s);
    live_ = make_tool(u"follow"_s, tr("Back to live"), u"Alt+Home"_s, tr("Live"));
    connect(back_, &QToolButton::clicked, this, [this] { travel_.step(-step_micros()); });
    connect(forward_, &QToolButton::clicked, this, [this] { travel_.step(step_micros()); });
    connect(live_, &QToolButton::clicked, &travel_, &TimeTravel::go_live);
    period_ = make_tool(u"close"_s, tr("Show all time again"), {}, u" "_s);
    period_->setObjectName(u"choice"_s);
    period_->hide();
    connect(period_, &QToolButton::clicked, this, [this] { workspace_.set_period(std::nullopt); });
    connect(&workspace_, &Workspace::period_changed, this, &TimeLine::show_period);
    build_step();
    build_time();
    build_slider();
    first_ = make_line({}, "muted");
    first_->setFixedWidth(kFirst);
    first_->hide();  // until there is room
    busy_ = make_busy();
    busy_->setFixedWidth(60);
    busy_->setAccessibleName(tr("Reading the history"));
    busy_->setRange(0, 100);
    busy_->hide();
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(14, 6, 14, 6);
    row->setSpacing(6);
    for (QWidget* part :
         std::initializer_list<QWidget*>{back_, forward_, step_, time_, first_, slider_})
        row->addWidget(part, part == slider_ ? 1 : 0);
    row->addWidget(busy_);
    row->addWidget(period_);
    row->addWidget(live_);
    connect(&travel_, &TimeTravel::changed, this, &TimeLine::show_state);
    connect(&travel_, &TimeTravel::reach_changed, this, &TimeLine::show_state);
    connect(&workspace_, &Workspace::ticked, this, [this] {
        if (isVisible()) show_state();
    });
    connect(&workspace_, &Workspace::second_passed, this, [this] {
        if (isVisible() && ++seconds_ % kReachSeconds == 0) travel_.ask_reach();
    });
    set_step();
    show_state();
}

void TimeLine::build_step() {
    step_ = new QComboBox;
    step_->setAccessibleName(tr("Step"));
    for (const auto& step : kSteps) step_->addItem(tr(step.name), step.seconds);
    step_->setCurrentIndex(kFirstStep);
    set_tooltip(step_, tr("How far Back, Forward and the arrow keys on the slider go"));
    connect(step_, &QComboBox::currentIndexChanged, this, &TimeLine::set_step);
}

void TimeLine::build_time() {
    time_ = new QDateTimeEdit;
    time_->setAccessibleName(tr("Moment that is shown"));
    if (auto* digits = time_->findChild<QLineEdit*>())
        digits->setAccessibleName(time_->accessibleName());
    time_->setDisplayFormat(u"yyyy-MM-dd HH:mm:ss"_s);
    time_->setCalendarPopup(true);
    // Its size hint is too small for the digits of some fonts.
    time_->setMinimumWidth(time_->sizeHint().width() + time_->fontMetrics().averageCharWidth());
    time_->setKeyboardTracking(false);  // not while it is being typed
    connect(time_, &QDateTimeEdit::dateTimeChanged, this,
            [this](const QDateTime& time) { travel_.go_to({time.toMSecsSinceEpoch() * 1000}); });
}

void TimeLine::build_slider() {
    slider_ = new QSlider(Qt::Horizontal);
    slider_->setAccessibleName(tr("Moment that is shown"));
    slider_->setMinimumWidth(kLeastSlider);
    slider_->setFocusPolicy(Qt::StrongFocus);
    connect(slider_, &QSlider::valueChanged, this, &TimeLine::slide);
}

std::int64_t TimeLine::step_micros() const {
    return step_->currentData().toInt() * kMicrosPerSecond;
}

void TimeLine::set_step() {
    slider_->setSingleStep(step_->currentData().toInt());
    slider_->setPageStep(kPage * step_->currentData().toInt());
}

// Seconds since the first record; the right end is live.
void TimeLine::slide(int seconds) {
    if (seconds == slider_->maximum())
        travel_.go_live();
    else
        travel_.go_to({travel_.first().micros + seconds * kMicrosPerSecond});
}

void TimeLine::show_range() {
    const auto first = travel_.first(), last = travel_.last();
    const bool any = first.micros != 0 && first < last;
    const auto seconds =
        any ? (last.micros - first.micros + kMicrosPerSecond - 1) / kMicrosPerSecond : 0;
    slider_->setRange(0, static_cast<int>(seconds));
    time_->setDateTimeRange(local(any ? first : last), local({last.micros + kMicrosPerSecond}));
    slider_->setEnabled(any);
    for (QWidget* part : std::initializer_list<QWidget*>{back_, time_, step_})
        part->setEnabled(any);
    first_->set_text(!travel_.problem().isEmpty() ? travel_.problem()
                     : any                        ? tr("from %1").arg(short_clock_text(first))
                                                  : tr("Nothing is recorded yet"));
}

void TimeLine::show_state() {
    const QSignalBlocker quiet_slider(slider_), quiet_time(time_);
    // Whoever holds the slider, or types a time, is not disturbed.
    const bool typing = time_->hasFocus() && !travel_.wanted();
    if (!slider_->isSliderDown()) show_range();
    const auto wanted = travel_.wanted();
    const auto shown = wanted.value_or(travel_.last());
    if (!slider_->isSliderDown())
        slider_->setValue(
            wanted ? static_cast<int>((shown.micros - travel_.first().micros) / kMicrosPerSecond)
                   : slider_->maximum());
    if (!typing) time_->setDateTime(local(shown));
    forward_->setEnabled(wanted.has_value());
    live_->setEnabled(wanted.has_value());
    busy_->setVisible(travel_.searching() && width() >= kMedium);
    busy_->setValue(static_cast<int>(100 * travel_.progress()));
    slider_->setAccessibleDescription(wanted ? zoned_text(shown) : tr("live"));
    set_tooltip(slider_, wanted ? zoned_text(shown) : tr("Live; drag to a recorded moment"));
}

void TimeLine::show_period() {
    const auto& period = workspace_.period();
    period_->setVisible(period.has_value());
    if (!period) return;
    const auto from = short_clock_text(period->from), to = short_clock_text(period->to);
    period_->setText(u"%1 – %2"_s.arg(from, to));
    period_->setAccessibleName(tr("Only %1 to %2: show all time again").arg(from, to));
    set_tooltip(period_,
                tr("Graphs, events and tables are limited to %1 until %2. Click to show all "
                   "time again.")
                    .arg(zoned_text(period->from), zoned_text(period->to)));
}

void TimeLine::showEvent(QShowEvent* event) {
    QFrame::showEvent(event);
    travel_.ask_reach();
}

// What there is no room for is hidden, so that the window can become narrow again.
QSize TimeLine::minimumSizeHint() const {
    return {kLeast, QFrame::minimumSizeHint().height()};
}

void TimeLine::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    first_->setVisible(width() >= kWide);
    step_->setVisible(width() >= kMedium);
}

}  // namespace snakepit::shm::ui
