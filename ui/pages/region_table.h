// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>
#include <vector>

#include "ui/models/region_table_model.h"
#include "ui/pages/table_view.h"

namespace snakepit::shm::ui {

class FilterLine;
class Workspace;

// A table of regions with its own model. What is selected stays selected while a filter hides it.
class RegionTable : public TableView {
    Q_OBJECT
  public:
    RegionTable(Workspace& workspace, const QString& settings_key, QWidget* parent = nullptr);

    RegionTableModel& regions() { return *regions_; }
    // First those in sight, then those that the filter hides.
    std::vector<RegionKey> selected_keys() const;
    std::vector<RegionKey> hidden_keys() const;  // of those selected
    void drop_hidden();
    void select_keys(const std::vector<RegionKey>& keys);
    void set_empty_text(const QString& text);  // shown while there is no row
    FilterLine* make_filter();                 // that filters this table

  Q_SIGNALS:
    void selection_edited();  // by a person, or because a selected region is gone
    void hidden_changed();    // what of the selection the filter hides

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    void keep_hidden(const std::vector<Slot>& slots);
    void show_kept();
    void offer_terms(QMenu& menu, FilterLine& line);

    Workspace& workspace_;
    RegionTableModel* regions_;
    QString empty_text_;
    std::set<RegionKey> hidden_;  // selected, and filtered away
    bool keeping_ = false;
};

}  // namespace snakepit::shm::ui
