// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <optional>

#include "ui/models/background.h"
#include "ui/models/event_feed.h"
#include "ui/models/region_store.h"
#include "ui/pages/details_card.h"

namespace snakepit::shm::ui {

class ElidedLabel;
class SecuritySection;
class Workspace;

// Everything about the selected region: its fields live from the registry, all its holders from the
// manager (the registry names five), its last events from the database.
class DetailsPane : public DetailsCard {
    Q_OBJECT
  public:
    explicit DetailsPane(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    void build_head();
    void build_fields();
    void choose();
    bool keep_ended();  // what was looked at stays readable
    void tick();
    void ask_holders();
    void ask_events();
    void show_policy_event(const std::vector<EventRow>& rows);
    void show_holders(const RegionInfo& info, bool complete, const QString& problem);
    void show_fields(const RegionRow& row);

    Workspace& workspace_;
    EventFeed feed_;
    Latest latest_;
    std::optional<RegionKey> key_;
    RegionId id_of_key_;
    bool ended_ = false;
    std::uint64_t events_seen_ = 0;
    bool asking_ = false;
    QLabel *state_, *hidden_;
    QLabel* id_;
    std::map<int, QLabel*> fields_;  // by RegionColumn
    ElidedLabel* place_;
    SecuritySection* security_;
    QLabel* holders_;
    QLabel* events_;
};

}  // namespace snakepit::shm::ui
