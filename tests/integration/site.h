// SPDX-License-Identifier: MIT
// A place where managers of one instance run one after another: namespaces, a user and directories
// of its own. Several share one directory of segments.
#pragma once

#include <QJsonObject>
#include <QString>
#include <QStringList>

#include <memory>

#include "service_fixture.h"

namespace snakepit::shm::test {

enum class Space { host, mount, mount_and_pid };

// A shell in the namespaces. It ends, with everything it started, when the site does.
class Site {
  public:
    // In namespaces of its own the runtime and state directories are file systems of its own
    // (tmpfs) at paths that are the same for all such sites. `user`: 0 is root.
    Site(std::shared_ptr<TestHost> host, Space space, unsigned user = 0, QString instance = "test");
    ~Site();
    Site(Site&&) = default;

    // What makes every site possible on this machine; empty, or why it is not.
    static QString missing();

    bool start();  // the manager; true when it serves
    int kill();    // -9
    int stop();    // SIGTERM; the exit status
    bool restart(bool orderly) {
        orderly ? stop() : kill();
        return start();
    }
    // One line of shell; what it printed.
    QString run(const QString& line);
    // The command line with --json; an empty object when it failed.
    QJsonObject json(const QString& words);
    QString allocate(const QString& words);  // its id; a line of text is written into it
    bool whole(const QString& id);           // that text is in it
    QStringList kinds();                     // of events
    // A program that maps the region and looks at its bytes all the time.
    void hold(const QString& id);
    int release();  // its exit status: 0 if they were right until now

  private:
    std::shared_ptr<TestHost> host_;
    std::unique_ptr<Peer> shell_;
};

}  // namespace snakepit::shm::test
