// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/region.h"
#include "ui/pages/page.h"

class QLabel;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class DetailsPane;
class EmptyState;
class FilterLine;
class RegionTable;

// The live table of regions with its filter line, the details of the selected one, and the actions.
class RegionsPage : public Page {
    Q_OBJECT
  public:
    explicit RegionsPage(Workspace& workspace, QWidget* parent = nullptr);
    void set_filter_text(const QString& text);
    // Only this one is in sight and selected.
    void show_region(const QString& id);
    // Whenever nothing is selected, selects the region with this id, or the first one ("first").
    void keep_selected(const QString& which);
    RegionTable& table() { return *table_; }

  protected:
    void on_shown() override;

  private:
    void build_actions();
    void show_counts();
    QWidget* build_hidden_notice();
    void show_selection();
    void show_hidden();
    QString deallocate_text() const;
    void deallocate();
    const RegionInfo* the_one() const;  // where exactly one is selected and still there
    void show_policy();
    void rotate_key();
    void show_bytes();
    // Of the selected regions.
    std::vector<RegionId> quarantined() const;
    void restore();
    void export_shown();

    RegionTable* table_;
    FilterLine* filter_;
    QWidget* hidden_notice_;
    QLabel* hidden_text_;
    DetailsPane* details_;
    EmptyState *nothing_, *no_match_, *not_then_;
    QStackedWidget* stack_;
    QPushButton *deallocate_, *policy_, *rotate_;
    QToolButton* bytes_;
    bool gone_ = false;  // some region, since the selection was last looked at
};

}  // namespace snakepit::shm::ui
