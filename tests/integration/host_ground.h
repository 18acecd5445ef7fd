// SPDX-License-Identifier: MIT
// A place of the test's own for segments, programs that arrange something there, and looks at it.
#pragma once

#include <QJsonObject>
#include <QString>
#include <QStringList>
#include <QTemporaryDir>

#include <memory>

#include "service_fixture.h"

namespace snakepit::shm::test {

// A mount and an IPC namespace with nothing in them, so that cleaning without names meets only what
// the test made. Before the first thread; false: not allowed.
bool enter_own_ground();

// A Python program that uses programs/host_actor.py, and all the processes that come of it.
class Actor {
  public:
    // `user`: what it finds as USER. `through`: words of a program that starts it.
    Actor(const QString& script, int user, const QStringList& through = {});
    ~Actor() { end(); }

    // Waits until it says so; false when it failed or ended.
    bool ready();
    const QStringList& segments() const { return segments_; }
    const QString& failure() const { return failure_; }
    // All of its processes, by SIGKILL; none of them can tidy up.
    void end();

  private:
    bool any_left(int signal) const;

    QTemporaryDir directory_;  // for its files
    QString mark_;
    std::unique_ptr<Peer> program_;
    QStringList segments_;
    QString failure_;
};

// How a look's clocks differ from the true ones.
struct Later {
    qint64 passed = 0;   // seconds that went by, for all clocks
    qint64 stepped = 0;  // seconds by which only the wall clock was set
};

// The program as it would see the same things at another time, as another user, with another /proc,
// started through another program.
class Looker {
  public:
    Looker();
    // A variable of its environment.
    void set(const QString& name, const QString& value) { more_.insert(name, value); }
    Finished run(const QStringList& words, Later later = {}, int user = 0,
                 const QString& proc_options = {}, const QString& through = {}) const;

  private:
    QTemporaryDir directory_;
    Service service_;
    QProcessEnvironment more_;
};

}  // namespace snakepit::shm::test
