// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <functional>

#include "alerts/alert.h"

class QSystemTrayIcon;

namespace snakepit::shm::ui {

class CurrentAlerts;

// Shows a desktop notification for each alert that begins to fire, if there is a tray.
// Remembered as "notifications". GUI thread.
class AlertNotifier : public QObject {
    Q_OBJECT
  public:
    // Shows it to a person: in place of the tray, for tests.
    using Sender = std::function<void(const QString& title, const QString& text, AlertSeverity)>;
    explicit AlertNotifier(CurrentAlerts& current, Sender teller = {}, QObject* parent = nullptr);

    bool possible() const;  // this desktop can be told anything
    bool enabled() const { return enabled_; }
    void set_enabled(bool enabled);

  Q_SIGNALS:
    void alert_wanted(std::uint64_t id);  // it was clicked on

  private:
    void notify(const Alert& alert);
    void show_tray();

    Sender send_;
    QSystemTrayIcon* tray_ = nullptr;
    std::uint64_t latest_ = 0;
    bool enabled_ = true;
};

}  // namespace snakepit::shm::ui
