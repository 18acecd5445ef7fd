// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <deque>
#include <vector>

#include "ui/models/column.h"
#include "ui/models/event_feed.h"

namespace snakepit::shm::ui {

enum EventColumn : int {
    kEventTime,
    kEventKind,
    kEventRegion,
    kEventPid,
    kEventUser,
    kEventResult,
    kEventDetail,
    kEventSeq,
    kEventColumns,
};

// Events, newest first. Older pages come as they are scrolled to, newer rows when refresh() is
// called; nothing is ever counted or skipped over. GUI thread.
class EventModel : public ColumnModel<QAbstractTableModel, EventRow> {
    Q_OBJECT
  public:
    explicit EventModel(std::unique_ptr<EventSource> source, QObject* parent = nullptr);

    // Reads again, from the newest row back. Empty means "all". `words`: a region's id, or what has
    // to be part of each row.
    void set_query(std::vector<EventKind> kinds, const QString& words);
    // Later rows are not read; no value: there is no bound.
    void set_until(std::optional<Timestamp> until) { until_ = until; }
    void set_since(std::optional<Timestamp> since) { since_ = since; }
    void set_page_size(int rows) { page_size_ = rows; }
    void refresh();  // appends what happened since the newest row; does nothing while busy
    bool busy() const { return feed_.busy(); }
    bool complete() const { return complete_; }  // the oldest row has been reached
    const QString& problem() const { return problem_; }
    const EventRow* row(int number) const override {
        return &rows_[static_cast<std::size_t>(number)];
    }

    int rowCount(const QModelIndex& parent = {}) const override;
    bool canFetchMore(const QModelIndex& parent) const override {
        return !parent.isValid() && !complete_ && !inserting_ && !feed_.busy() && !rows_.empty();
    }
    void fetchMore(const QModelIndex& parent) override {
        if (canFetchMore(parent)) load_page();
    }

  Q_SIGNALS:
    void answered();  // rows or problem() changed, or a question ended without any

  protected:
    std::span<const Column<EventRow>> columns() const override;
    QVariant cell(int number, int column, int role) const override;

  private:
    EventQuery base_query() const;
    void clear();
    void load_page();
    void add_newer(std::vector<EventRow> rows);
    void add_older(std::vector<EventRow> rows);
    void set_problem(const Error* error);

    EventFeed feed_;
    std::deque<EventRow> rows_;  // newest first
    std::vector<EventKind> kinds_;
    std::optional<std::string> region_id_;
    std::vector<std::string> words_;
    std::optional<Timestamp> since_, until_;
    QString problem_;
    int page_size_ = 500;
    bool complete_ = false;
    bool inserting_ = false;  // views ask for more while rows are inserted
};

}  // namespace snakepit::shm::ui
