// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <QLabel>
#include <QMainWindow>
#include <QStringList>
#include <map>

class QBoxLayout;
class QButtonGroup;
class QPushButton;
class QStackedWidget;
class QToolButton;
class QVBoxLayout;

namespace snakepit::shm::ui {

class CurrentAlerts;
class AlertNotifier;
class ManagerHost;
class NavigationButton;
class Page;
class StateBanner;
class TimeLine;
class TimeTravel;
class Workspace;

// The window: navigation at the left, the page, a banner when the manager is away, the status bar.
class MainWindow : public QMainWindow {
    Q_OBJECT
  public:
    MainWindow(Workspace& workspace, ManagerHost& host, QWidget* parent = nullptr);

    static QStringList page_names();
    bool show_page(const QString& name);  // false: unknown page
    void restore_place();
    void keep_selected(const QString& which);  // a region's id, or "first"
    // No question about connected programs when it closes.
    void set_quiet_close() { quiet_close_ = true; }

  protected:
    void closeEvent(QCloseEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    QWidget* build_sidebar();
    QWidget* build_notifications();
    QToolButton* build_pause();
    QToolButton* build_compare();
    QToolButton* build_palette();
    void build_status_bar();
    void fold_sidebar(bool folded);
    void add_pages();
    NavigationButton* add_page(const QString& name, const QString& title, Page* page);
    void show_alert(std::uint64_t id);
    void show_pause();
    void show_status();
    void next_theme();
    void show_theme();
    void embed();
    bool may_close();

    Workspace& workspace_;
    ManagerHost& host_;
    CurrentAlerts* current_;
    AlertNotifier* notifier_;
    QButtonGroup* navigation_;
    NavigationButton* alerts_button_;
    QVBoxLayout* navigation_column_;
    QStackedWidget* stack_;
    StateBanner* banner_;
    TimeTravel* travel_;
    QToolButton *pause_, *theme_;
    QFrame* sidebar_;
    QWidget* brand_;
    QBoxLayout* tools_;
    std::map<QString, int> pages_;
    QLabel *link_state_, *mode_, *pid_, *regions_, *memory_, *programs_, *lag_;
    bool quiet_close_ = false;
};

}  // namespace snakepit::shm::ui
