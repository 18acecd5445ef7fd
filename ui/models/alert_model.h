// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

class Workspace;

enum AlertColumn : int {
    kAlertSeverity,
    kAlertState,
    kAlertTitle,
    kAlertSubject,
    kAlertValue,
    kAlertThreshold,
    kAlertSince,
    kAlertFired,
    kAlertResolved,
    kAlertLasted,
    kAlertTimes,
    kAlertRule,
    kAlertId,
    kAlertColumns,
};

// Alerts, worst first before a column is chosen.
class AlertModel : public KeyedTable<Alert, std::uint64_t> {
  public:
    using KeyedTable::KeyedTable;
    void set_search(const QString& words);  // in title, subject and rule; all of them

  protected:
    std::span<const Column<Alert>> columns() const override;
    QVariant cell(int number, int column, int role) const override;
    std::uint64_t key(const Alert& alert) const override { return alert.id; }
    bool wanted(const Alert& alert) const override;
    int compare_rows(const Alert& a, const Alert& b) const override;
    // To be drawn with less colour than what fires.
    virtual bool is_inactive(const Alert& alert) const {
        return alert.state != Alert::State::firing;
    }

  private:
    QStringList words_;
};

// Those of the past, newest first; older ones are loaded on scrolling.
class AlertHistoryModel : public AlertModel {
    Q_OBJECT
  public:
    explicit AlertHistoryModel(Workspace& workspace, QObject* parent = nullptr);

    void refresh() { ask(0); }  // begins again at the newest
    bool complete() const { return complete_; }
    const QString& problem() const { return problem_; }
    bool canFetchMore(const QModelIndex& parent) const override {
        return !parent.isValid() && !complete_ && !asking_ && !alerts_.empty();
    }
    void fetchMore(const QModelIndex& parent) override {
        if (canFetchMore(parent)) ask(before_);
    }

  Q_SIGNALS:
    void answered();

  protected:
    int compare_rows(const Alert& a, const Alert& b) const override { return a.id > b.id ? -1 : 1; }
    bool is_inactive(const Alert&) const override { return false; }

  private:
    void ask(std::uint64_t before);

    Workspace& workspace_;
    std::vector<Alert> alerts_;
    std::uint64_t before_ = 0;
    bool complete_ = false, asking_ = false;
    QString problem_;
};

}  // namespace snakepit::shm::ui
