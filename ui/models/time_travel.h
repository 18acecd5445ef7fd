// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <atomic>
#include <memory>
#include <optional>

#include "ui/models/past.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

// Puts the workspace to a recorded moment and back to now. The state is rebuilt on a worker thread:
// one search at a time, and after it the moment that was asked for last. GUI thread.
class TimeTravel : public QObject {
    Q_OBJECT
  public:
    explicit TimeTravel(Workspace& workspace, QObject* parent = nullptr);
    ~TimeTravel() override;

    // Nothing after now; before the first record: that one.
    void go_to(Timestamp moment);
    void go_live();                  // ends a search
    void step(std::int64_t micros);  // from the moment that is shown or asked for

    // The moment that is shown, or will be when the search has ended; none: now.
    std::optional<Timestamp> wanted() const { return wanted_; }
    bool searching() const { return searching_; }
    // Of the history, while it is read for the first time; 0 to 1.
    double progress() const;
    // What is recorded, as far as it is known; 0: nothing.
    Timestamp first() const { return first_; }
    Timestamp last() const;  // a bundle's, otherwise now
    const QString& problem() const { return problem_; }
    void ask_reach();  // after a while there is more, and less

  Q_SIGNALS:
    void changed();        // of any of the above
    void reach_changed();  // first()

  private:
    struct Search;
    void search();
    void receive(Result<Past> past);

    Workspace& workspace_;
    std::shared_ptr<Search> search_;  // shared with the worker
    std::optional<Timestamp> wanted_, found_;
    Timestamp first_;
    QString problem_;
    bool searching_ = false;
    Background background_;  // last: its thread ends before the rest goes
};

}  // namespace snakepit::shm::ui
