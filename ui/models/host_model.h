// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "survey/host_survey.h"
#include "ui/models/host_filter.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

enum HostColumn : int {
    kHostName,
    kHostKind,
    kHostVerdict,
    kHostConfidence,
    kHostSize,
    kHostResident,
    kHostProgram,
    kHostUsers,
    kHostOwner,
    kHostCreator,
    kHostTouched,
    kHostCreated,
    kHostMode,
    kHostPlace,
    kHostColumns,
};

struct HostRow {
    HostSegment segment;
    std::string search;  // prepared for HostFilter
};
using HostRows = std::vector<std::shared_ptr<const HostRow>>;

// Prepares what a survey found; on a worker thread, ten thousand take their time.
HostRows host_rows(std::vector<HostSegment> segments);

// Every segment of the host: what was left over first, the largest first.
class HostModel : public KeyedTable<HostRow, std::string> {
  public:
    using KeyedTable::KeyedTable;
    void show(HostRows rows) { set_rows(std::move(rows)); }
    void set_filter(HostFilter filter);

  protected:
    std::span<const Column<HostRow>> columns() const override;
    QVariant cell(int number, int column, int role) const override;
    std::string key(const HostRow& row) const override { return row.segment.name; }
    bool wanted(const HostRow& row) const override {
        return filter_.matches(row.segment, shown_now(), row.search);
    }
    int compare_rows(const HostRow& a, const HostRow& b) const override;

  private:
    HostFilter filter_;
};

}  // namespace snakepit::shm::ui
