// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "alerts/alert.h"
#include "ui/pages/details_card.h"

class QPushButton;

namespace snakepit::shm::ui {

class CommandText;
class Timeline;
class Workspace;

// Everything about one alert: how bad, why, what to do, what became of it so far, and the ways to
// act on it with their command lines.
class AlertDetails : public DetailsCard {
    Q_OBJECT
  public:
    explicit AlertDetails(Workspace& workspace, QWidget* parent = nullptr);

    // The same one again: only what changed of it. Null: nothing is selected.
    void show_alert(const Alert* alert);
    // Whose alerts are told apart by what is recorded as events.
    void set_rules(std::vector<AlertRule> rules) { rules_ = std::move(rules); }
    const std::optional<Alert>& alert() const { return alert_; }

  Q_SIGNALS:
    void acknowledge_wanted();
    void silence_wanted();
    void silences_wanted();

  private:
    void build_head();
    void build_words();
    void build_actions();
    void show_chips(const Alert& alert);
    void show_actions(const Alert& alert);
    void show_timeline(const Alert& alert);
    void show_related();
    std::optional<EventKind> related() const;

    Workspace& workspace_;
    std::optional<Alert> alert_;
    std::vector<AlertRule> rules_;
    std::vector<QLabel*> chips_;
    QLabel *title_, *subject_, *value_, *worst_, *limit_, *times_, *evidence_, *remedy_;
    QLabel* remedy_title_;
    Timeline* timeline_;
    QPushButton *acknowledge_, *silence_, *silences_, *events_;
    QWidget *ack_line_, *silence_line_, *lines_title_;
    CommandText *ack_command_, *silence_command_;
};

}  // namespace snakepit::shm::ui
