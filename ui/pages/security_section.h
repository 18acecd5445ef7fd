// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>

#include "ui/models/background.h"
#include "ui/models/policy_preview.h"

class QFormLayout;
class QLabel;
class QPushButton;

namespace snakepit::shm::ui {

class Workspace;

// How one region is protected: its level, its policy in words, whether that is in effect, and the
// ways to change it. The policy is asked for when it may have changed, not all the time.
class SecuritySection : public QWidget {
    Q_OBJECT
  public:
    explicit SecuritySection(Workspace& workspace, QWidget* parent = nullptr);

    void choose(const RegionInfo& region);       // another region
    void show_region(const RegionInfo& region);  // the same one, a tick later
    void policy_event(std::int64_t seq);  // the newest event about its policy; 0: there is none

  private:
    // What the registry says of a policy: another value, another policy.
    struct Seen {
        PermissionSet permissions;
        bool own = false, in_effect = true;
        friend bool operator==(const Seen&, const Seen&) = default;
    };
    void ask();
    void show_report(const PolicyReport& report, const PolicyText& words);
    void show_problem(const QString& why);

    Workspace& workspace_;
    RegionInfo region_;
    Timestamp moment_;  // that is shown; 0: now
    std::optional<Seen> seen_;
    std::optional<std::int64_t> event_;  // nothing: the events were not looked at yet
    Latest latest_;
    QLabel *level_, *read_, *write_, *manage_, *effect_, *audit_;
    QPushButton *policy_, *rotate_;
};

}  // namespace snakepit::shm::ui
