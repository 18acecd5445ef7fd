// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alert_notifier.h"

#include <QIcon>
#include <QSystemTrayIcon>

#include "ui/models/alert_book.h"
#include "ui/models/alert_text.h"
#include "ui/models/settings.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kShownMillis = 10'000;

QSystemTrayIcon::MessageIcon sign_of(AlertSeverity severity) {
    switch (severity) {
        case AlertSeverity::critical:
            return QSystemTrayIcon::Critical;
        case AlertSeverity::warning:
            return QSystemTrayIcon::Warning;
        case AlertSeverity::info:
            break;
    }
    return QSystemTrayIcon::Information;
}

}  // namespace

AlertNotifier::AlertNotifier(AlertBook& book, Teller teller, QObject* parent)
    : QObject(parent), teller_(std::move(teller)) {
    enabled_ = remembered(QStringLiteral("notifications"), QStringLiteral("on")) == u"on" &&
               (teller_ || remembering());
    connect(&book, &AlertBook::fires, this, &AlertNotifier::tell);
    show_tray();
}

bool AlertNotifier::possible() const {
    return teller_ ||
           (QSystemTrayIcon::isSystemTrayAvailable() && QSystemTrayIcon::supportsMessages());
}

void AlertNotifier::set_enabled(bool enabled) {
    enabled_ = enabled;
    remember(QStringLiteral("notifications"),
             enabled ? QStringLiteral("on") : QStringLiteral("off"));
    show_tray();
}

// The icon is there for as long as it may have something to say.
void AlertNotifier::show_tray() {
    const bool wanted = enabled_ && !teller_ && possible();
    if (wanted && !tray_) {
        tray_ = new QSystemTrayIcon(QIcon(QStringLiteral(":/icons/snakepit.svg")), this);
        tray_->setToolTip(tr("Snakepit SHM"));
        connect(tray_, &QSystemTrayIcon::messageClicked, this,
                [this] { Q_EMIT alert_wanted(latest_); });
        connect(tray_, &QSystemTrayIcon::activated, this, [this] { Q_EMIT alert_wanted(latest_); });
    }
    if (tray_) tray_->setVisible(wanted);
}

void AlertNotifier::tell(const Alert& alert) {
    if (!enabled_ || !possible()) return;
    const auto title =
        QStringLiteral("%1: %2").arg(severity_title(alert.severity), alert_title(alert));
    const auto text = QString::fromStdString(alert.evidence);
    latest_ = alert.id;
    if (teller_)
        teller_(title, text, alert.severity);
    else
        tray_->showMessage(title, text, sign_of(alert.severity), kShownMillis);
}

}  // namespace snakepit::shm::ui
