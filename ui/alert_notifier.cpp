// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alert_notifier.h"

#include <QIcon>
#include <QSystemTrayIcon>

#include "ui/models/alert_text.h"
#include "ui/models/current_alerts.h"
#include "ui/models/settings.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kShownMillis = 10'000;

QSystemTrayIcon::MessageIcon sign_of(AlertSeverity severity) {
    return severity == AlertSeverity::critical  ? QSystemTrayIcon::Critical
           : severity == AlertSeverity::warning ? QSystemTrayIcon::Warning
                                                : QSystemTrayIcon::Information;
}

}  // namespace

AlertNotifier::AlertNotifier(CurrentAlerts& current, Sender teller, QObject* parent)
    : QObject(parent), send_(std::move(teller)) {
    enabled_ = remembered(u"notifications"_s, u"on"_s) == u"on" && (send_ || remembering());
    connect(&current, &CurrentAlerts::fires, this, &AlertNotifier::notify);
    show_tray();
}

bool AlertNotifier::possible() const {
    return send_ ||
           (QSystemTrayIcon::isSystemTrayAvailable() && QSystemTrayIcon::supportsMessages());
}

void AlertNotifier::set_enabled(bool enabled) {
    enabled_ = enabled;
    remember(u"notifications"_s, enabled ? u"on"_s : u"off"_s);
    show_tray();
}

// The icon is there for as long as it may have something to say.
void AlertNotifier::show_tray() {
    const bool wanted = enabled_ && !send_ && possible();
    if (wanted && !tray_) {
        tray_ = new QSystemTrayIcon(QIcon(u":/icons/snakepit.svg"_s), this);
        tray_->setToolTip(tr("Snakepit SHM"));
        connect(tray_, &QSystemTrayIcon::messageClicked, this,
                [this] { Q_EMIT alert_wanted(latest_); });
        connect(tray_, &QSystemTrayIcon::activated, this, [this] { Q_EMIT alert_wanted(latest_); });
    }
    if (tray_) tray_->setVisible(wanted);
}

void AlertNotifier::notify(const Alert& alert) {
    if (!enabled_ || !possible()) return;
    const auto title = u"%1: %2"_s.arg(severity_title(alert.severity), alert_title(alert));
    const auto text = QString::fromStdString(alert.evidence);
    latest_ = alert.id;
    if (send_)
        send_(title, text, alert.severity);
    else
        tray_->showMessage(title, text, sign_of(alert.severity), kShownMillis);
}

}  // namespace snakepit::shm::ui
