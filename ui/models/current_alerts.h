// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <set>
#include <vector>

#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

// Those that are open, and of `past` those that were resolved in the hour before `at`.
std::vector<Alert> with_ended_lately(std::vector<Alert> open, const std::vector<Alert>& past,
                                     Timestamp at);

// The alerts as of now, for everything that shows some. The samples say how many fire; the manager
// is asked which ones only when that changes, or once a second while a page shows them. A bundle is
// asked once; the alerts in it count for themselves, and none is notified. GUI thread.
class CurrentAlerts : public QObject {
    Q_OBJECT
  public:
    explicit CurrentAlerts(Workspace& workspace, QObject* parent = nullptr);

    // Worst first, see worse().
    const std::vector<Alert>& alerts() const { return alerts_; }
    std::vector<Alert> firing() const;
    std::uint64_t firing_count() const { return firing_; }
    std::uint64_t unacknowledged_count() const { return unacknowledged_; }
    const Alert* find(std::uint64_t id) const;
    bool known() const { return known_; }                // the manager has answered
    const QString& problem() const { return problem_; }  // why it did not, last time
    Workspace& workspace() const { return workspace_; }

    // While a page shows all of them.
    void set_watched(bool watched);
    void ask();  // now: something was done about one

  Q_SIGNALS:
    void counts_changed();
    void changed();
    // Once for each, not for those that fired before we looked, nor silenced or acknowledged ones.
    void fires(const Alert& alert);

  private:
    void on_second();
    void receive(Result<std::vector<Alert>> alerts);
    void notify_new();
    void count();
    // A bundle has answered, and does not change.
    bool settled() const { return workspace_.bundle() && (known_ || !problem_.isEmpty()); }

    Workspace& workspace_;
    std::vector<Alert> alerts_;
    std::set<std::uint64_t> notified_;  // firing ones that need not be told of any more
    std::uint64_t firing_ = 0, unacknowledged_ = 0;
    QString problem_;
    bool asking_ = false, again_ = false, watched_ = false, known_ = false;
    bool started_ = false;  // we know what fired before we looked
};

}  // namespace snakepit::shm::ui
