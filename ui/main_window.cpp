// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include <unistd.h>
#include <QButtonGroup>
#include <QCloseEvent>
#include <QDateTime>
#include <QHBoxLayout>
#include <QPushButton>
#include <QScreen>
#include <QScrollArea>
#include <QStackedWidget>
#include <QStatusBar>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/alert_notifier.h"
#include "ui/dialogs/command_palette.h"
#include "ui/dialogs/compare_dialog.h"
#include "ui/dialogs/handover_dialog.h"
#include "ui/icons.h"
#include "ui/models/current_alerts.h"
#include "ui/models/format.h"
#include "ui/models/host.h"
#include "ui/models/settings.h"
#include "ui/models/time_travel.h"
#include "ui/models/workspace.h"
#include "ui/navigation_button.h"
#include "ui/pages/alerts_page.h"
#include "ui/pages/arenas_page.h"
#include "ui/pages/configuration_page.h"
#include "ui/pages/dashboard_page.h"
#include "ui/pages/events_page.h"
#include "ui/pages/host_page.h"
#include "ui/pages/memory_page.h"
#include "ui/pages/performance_page.h"
#include "ui/pages/processes_page.h"
#include "ui/pages/references_page.h"
#include "ui/pages/regions_page.h"
#include "ui/pages/widgets.h"
#include "ui/state_banner.h"
#include "ui/theme.h"
#include "ui/time_line.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kSidebar = 196, kFoldedSidebar = 66, kWideWindow = 1100;

}  // namespace

QStringList MainWindow::page_names() {
    return {u"dashboard"_s, u"regions"_s, u"memory"_s,    u"references"_s,
            u"alerts"_s,    u"events"_s,  u"processes"_s, u"performance"_s,
            u"host"_s,      u"arenas"_s,  u"settings"_s};
}

MainWindow::MainWindow(Workspace& workspace, ManagerHost& host, QWidget* parent)
    : QMainWindow(parent),
      workspace_(workspace),
      host_(host),
      current_(new CurrentAlerts(workspace, this)),
      notifier_(new AlertNotifier(*current_, {}, this)),
      navigation_(new QButtonGroup(this)),
      stack_(new QStackedWidget),
      travel_(new TimeTravel(workspace, this)) {
    setWindowTitle(
        workspace.bundle()
            ? tr("%1 – bundle – Snakepit SHM").arg(visible_text(workspace.bundle()->file))
        : workspace.instance() == u"default" ? tr("Snakepit SHM")
                                             : tr("%1 – Snakepit SHM").arg(workspace.instance()));
    setWindowIcon(QIcon(u":/icons/snakepit.svg"_s));
    resize(QSize(1320, 840).boundedTo(screen()->availableSize()));
    auto* right = new QWidget;
    right->setObjectName(u"pages"_s);
    auto* column = new QVBoxLayout(right);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    banner_ = new StateBanner(workspace, host, right);
    column->addWidget(banner_);
    column->addWidget(stack_, 1);
    column->addWidget(new TimeLine(workspace, *travel_, right));
    auto* central = new QWidget;
    auto* row = new QHBoxLayout(central);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(0);
    row->addWidget(build_sidebar());
    row->addWidget(right, 1);
    setCentralWidget(central);
    build_status_bar();

    add_pages();
    fold_sidebar(width() < kWideWindow);
    connect(notifier_, &AlertNotifier::alert_wanted, this, &MainWindow::show_alert);
    connect(&workspace, &Workspace::ticked, this, &MainWindow::show_status);
    connect(&workspace, &Workspace::pause_changed, this, &MainWindow::show_pause);
    connect(banner_, &StateBanner::manager_wanted, this, &MainWindow::embed);
    connect(banner_, &StateBanner::live_wanted, travel_, &TimeTravel::go_live);
    connect(&workspace, &Workspace::moment_wanted, travel_, &TimeTravel::go_to);
    connect(&workspace, &Workspace::moment_changed, this, &MainWindow::show_pause);
    show_page(page_names().front());
    show_status();
}

void MainWindow::add_pages() {
    auto* dashboard = new DashboardPage(workspace_, *current_);
    auto* events = new EventsPage(workspace_);
    auto* alerts = new AlertsPage(workspace_, *current_);
    add_page(u"dashboard"_s, tr("Dashboard"), dashboard);
    add_page(u"regions"_s, tr("Regions"), new RegionsPage(workspace_));
    add_page(u"memory"_s, tr("Memory"), new MemoryPage(workspace_));
    add_page(u"references"_s, tr("References"), new ReferencesPage(workspace_));
    alerts_button_ = add_page(u"alerts"_s, tr("Alerts"), alerts);
    add_page(u"events"_s, tr("Events"), events);
    add_page(u"processes"_s, tr("Processes"), new ProcessesPage(workspace_));
    add_page(u"performance"_s, tr("Performance"), new PerformancePage(workspace_));
    add_page(u"host"_s, tr("Host"), new HostPage(workspace_));
    add_page(u"arenas"_s, tr("Arenas"), new ArenasPage(workspace_));
    add_page(u"settings"_s, tr("Settings"), new ConfigurationPage(workspace_));
    connect(navigation_, &QButtonGroup::idClicked, this,
            [this](int index) { show_page(page_names()[index]); });
    connect(dashboard, &DashboardPage::page_wanted, this, &MainWindow::show_page);
    connect(dashboard, &DashboardPage::alert_wanted, this, &MainWindow::show_alert);
    for (auto leads : {&Workspace::show_region, &Workspace::show_regions})
        connect(&workspace_, leads, this, [this] { show_page(u"regions"_s); });
    connect(&workspace_, &Workspace::show_events_of, this, [this, events](const QString& id) {
        events->show_region(id);
        show_page(u"events"_s);
    });
    connect(&workspace_, &Workspace::show_events_of_kind, this, [this, events](EventKind kind) {
        events->show_kind(kind);
        show_page(u"events"_s);
    });
    connect(current_, &CurrentAlerts::counts_changed, this, [this] {
        const auto count = current_->unacknowledged_count();
        alerts_button_->set_badge(
            count, tr("%1 not acknowledged").arg(pluralize(count, "alert", "alerts")));
    });
}

void MainWindow::show_alert(std::uint64_t id) {
    if (isMinimized()) showNormal();
    raise();
    activateWindow();
    show_page(u"alerts"_s);
    findChild<AlertsPage*>()->show_alert(id);
}

QWidget* MainWindow::build_sidebar() {
    sidebar_ = new QFrame;
    sidebar_->setObjectName(u"sidebar"_s);
    auto* logo = make_sign();
    logo->setPixmap(QIcon(u":/icons/snakepit.svg"_s).pixmap(34, 34));
    brand_ = new QWidget;
    auto* words = new QVBoxLayout(brand_);
    words->setContentsMargins(0, 0, 0, 0);
    words->setSpacing(0);
    words->addWidget(make_label(tr("Snakepit SHM"), "brand"));
    words->addWidget(make_line(tr("instance %1").arg(workspace_.instance()), "brand_sub"));
    auto* head = new QHBoxLayout;
    head->setSpacing(10);
    head->addWidget(logo);
    head->addWidget(brand_, 1);
    auto* column = new QVBoxLayout(sidebar_);
    column->setContentsMargins(12, 16, 12, 12);
    column->setSpacing(3);
    column->addLayout(head);
    column->addSpacing(18);
    auto* buttons = new QWidget;
    buttons->setObjectName(u"content"_s);
    navigation_column_ = new QVBoxLayout(buttons);
    navigation_column_->setContentsMargins(0, 0, 0, 0);
    navigation_column_->setSpacing(3);
    navigation_column_->setAlignment(Qt::AlignTop);
    auto* scroll = new QScrollArea;  // where the window is low
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->viewport()->setAutoFillBackground(false);
    scroll->setWidget(buttons);
    column->addWidget(scroll, 1);
    auto* theme = make_tool(u"theme"_s, tr("Theme"), u"Ctrl+T"_s);
    connect(theme, &QToolButton::clicked, this, &MainWindow::next_theme);
    tools_ = new QHBoxLayout;
    tools_->addWidget(build_pause());
    tools_->addWidget(theme_ = theme);
    tools_->addWidget(build_compare());
    tools_->addWidget(build_palette());
    tools_->addWidget(build_notifications());
    tools_->addStretch();
    column->addLayout(tools_);
    show_theme();
    return sidebar_;
}

void MainWindow::fold_sidebar(bool folded) {
    sidebar_->setFixedWidth(folded ? kFoldedSidebar : kSidebar);
    brand_->setHidden(folded);
    tools_->setDirection(folded ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    for (auto* button : navigation_->buttons())
        static_cast<NavigationButton*>(button)->set_folded(folded);
}

// Its icon has the page's name.
NavigationButton* MainWindow::add_page(const QString& name, const QString& title, Page* page) {
    const int index = stack_->addWidget(page);
    pages_[name] = index;
    auto* button = new NavigationButton(title, name, index + 1);
    navigation_->addButton(button, index);
    navigation_column_->addWidget(button);
    return button;
}

QWidget* MainWindow::build_notifications() {
    auto* told = make_tool(u"alerts"_s, tr("Show desktop notifications for new alerts"));
    told->setCheckable(true);
    told->setChecked(notifier_->enabled());
    if (!notifier_->possible()) told->hide();
    const auto wear = [told](bool on) { told->setIcon(icon(on ? u"alerts"_s : u"silence"_s)); };
    wear(told->isChecked());
    connect(told, &QToolButton::toggled, notifier_, &AlertNotifier::set_enabled);
    connect(told, &QToolButton::toggled, told, wear);
    return told;
}

QToolButton* MainWindow::build_pause() {
    pause_ = make_tool(u"pause"_s, tr("Pause: keep everything as it is now"), u"Ctrl+P"_s);
    pause_->setCheckable(true);
    pause_->setEnabled(!workspace_.bundle());
    connect(pause_, &QToolButton::toggled, &workspace_, &Workspace::set_paused);
    return pause_;
}

QToolButton* MainWindow::build_compare() {
    auto* compare =
        make_tool(u"compare"_s, tr("Compare two moments or bundles"), u"Ctrl+Shift+D"_s);
    connect(compare, &QToolButton::clicked, this,
            [this] { (new CompareDialog(workspace_, travel_->wanted(), this))->open(); });
    return compare;
}

QToolButton* MainWindow::build_palette() {
    auto* find = make_tool(u"search"_s, tr("Find an action"), u"Ctrl+K"_s);
    connect(find, &QToolButton::clicked, this, [this] {
        auto* palette = new CommandPalette(*this);
        palette->setAttribute(Qt::WA_DeleteOnClose);
        palette->open();
    });
    return find;
}

void MainWindow::build_status_bar() {
    link_state_ = make_label({});
    statusBar()->addWidget(link_state_);
    for (auto** label : {&mode_, &pid_, &regions_, &memory_, &programs_}) {
        *label = make_line({}, "status");
        (*label)->setMinimumWidth(1);  // cut where the window is narrow
        statusBar()->addWidget(*label);
    }
    link_state_->setTextFormat(Qt::RichText);
    lag_ = make_line({}, "status");
    lag_->setMinimumWidth(1);
    statusBar()->addPermanentWidget(lag_);
    statusBar()->setSizeGripEnabled(false);
}

bool MainWindow::show_page(const QString& name) {
    const auto found = pages_.find(name);
    if (found == pages_.end()) return false;
    navigation_->button(found->second)->setChecked(true);
    stack_->setCurrentIndex(found->second);
    static_cast<Page*>(stack_->currentWidget())->take_focus();
    return true;
}

void MainWindow::show_pause() {
    const bool paused = workspace_.paused();
    pause_->setChecked(paused);
    pause_->setEnabled(!workspace_.bundle() && !workspace_.past());
    pause_->setIcon(icon(paused ? u"play"_s : u"pause"_s));
}

void MainWindow::show_status() {
    const auto link = workspace_.link();
    const auto severity = link == Link::connected    ? Severity::good
                          : link == Link::connecting ? Severity::neutral
                          : link == Link::bundle     ? Severity::info
                                                     : Severity::caution;
    const auto word = link == Link::connected    ? tr("connected")
                      : link == Link::connecting ? tr("connecting…")
                      : link == Link::bundle     ? tr("bundle")
                      : link == Link::silent     ? tr("reconnecting…")
                                                 : tr("no manager");
    link_state_->setText(u"<span style='color:%1'>●</span>&nbsp; %2"_s.arg(
        colours().severity(severity).text.name(), word));
    say(mode_,
        workspace_.bundle()
            ? tr("from %1, %2").arg(workspace_.bundle()->host, zoned_text(workspace_.bundle()->at))
        : workspace_.past()       ? tr("shown: %1").arg(zoned_text(workspace_.past()->state.moment))
        : host_.embedded()        ? tr("manager runs in this window")
        : link == Link::connected ? tr("attached")
                                  : QString());
    say(pid_,
        workspace_.manager_pid() ? tr("manager pid %1").arg(workspace_.manager_pid()) : QString());
    say(regions_, pluralize(workspace_.regions().size(), "region", "regions"));
    say(programs_, pluralize(workspace_.clients().size(), "program", "programs"));
    const auto* sample = workspace_.latest();
    say(memory_, sample ? size_text(sample->bytes_used) : QString());
    QString events =
        tr("%1 recorded")
            .arg(pluralize(
                workspace_.event_head() -
                    (sample ? std::min(sample->recorder_lag, workspace_.event_head()) : 0),
                "event", "events"));
    if (sample && sample->recorder_lag > 0)
        events += tr(", %1 pending").arg(count_text(sample->recorder_lag));
    if (workspace_.events_lost() > 0)
        events += tr(", %1 lost").arg(count_text(workspace_.events_lost()));
    say(lag_, events);
    set_tooltip(pid_, tr("Process id of the manager"));
    set_tooltip(mode_, link == Link::connected && !host_.embedded()
                           ? tr("The manager runs in another process.")
                           : QString());
    for (auto* label : {mode_, pid_, memory_}) label->setVisible(!label->text().isEmpty());
}

void MainWindow::next_theme() {
    auto& theme = Theme::instance();
    const auto next = theme.choice() == ThemeChoice::system  ? ThemeChoice::light
                      : theme.choice() == ThemeChoice::light ? ThemeChoice::dark
                                                             : ThemeChoice::system;
    theme.apply(next);
    remember(u"theme"_s, theme_name(next));
    show_theme();
}

// Two of the three may look the same.
void MainWindow::show_theme() {
    const auto choice = Theme::instance().choice();
    const auto words = choice == ThemeChoice::system  ? tr("Theme: as the desktop")
                       : choice == ThemeChoice::light ? tr("Theme: light")
                                                      : tr("Theme: dark");
    theme_->setAccessibleName(words);
    theme_->setToolTip(u"%1  (Ctrl+T)"_s.arg(words));
}

void MainWindow::embed() {
    if (const auto started = host_.embed(); !started)
        show_warning(this, tr("Start a manager in this window"), error_text(started.error()));
    banner_->show_state();
}

void MainWindow::restore_place() {
    restoreGeometry(remembered_state(u"window"_s));
    resize(size().boundedTo(screen()->availableSize()));
}

void MainWindow::keep_selected(const QString& which) {
    findChild<RegionsPage*>()->keep_selected(which);
}

bool MainWindow::may_close() {
    const auto own = static_cast<std::int64_t>(::getpid());
    std::uint64_t programs = 0;
    for (const auto& client : workspace_.clients()) programs += client.pid != own ? 1 : 0;
    if (quiet_close_ || !host_.embedded() || programs == 0) return true;
    switch (ask_handover(this, pluralize(programs, "program is", "programs are"))) {
        case Handover::stop:
            return true;
        case Handover::cancel:
            return false;
        case Handover::hand_over:
            break;
    }
    const auto handed = host_.hand_over();
    if (!handed) show_warning(this, tr("Hand over"), error_text(handed.error()));
    return handed.has_value();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!may_close()) {
        event->ignore();
        return;
    }
    remember_state(u"window"_s, saveGeometry());
    event->accept();
}

void MainWindow::resizeEvent(QResizeEvent* event) {
    fold_sidebar(width() < kWideWindow);
    QMainWindow::resizeEvent(event);
}

void MainWindow::changeEvent(QEvent* event) {
    if (event->type() == QEvent::WindowStateChange) workspace_.set_watched(!isMinimized());
    QMainWindow::changeEvent(event);
}

void MainWindow::showEvent(QShowEvent* event) {
    workspace_.set_watched(true);
    QMainWindow::showEvent(event);
}

void MainWindow::hideEvent(QHideEvent* event) {
    workspace_.set_watched(false);
    QMainWindow::hideEvent(event);
}

}  // namespace snakepit::shm::ui
