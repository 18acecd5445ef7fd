// SPDX-License-Identifier: MIT
// A service whose alerts go to a webhook and a command of the test's own.
#pragma once

#include <httplib.h>

#include <QJsonObject>
#include <QString>
#include <QStringList>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "service_fixture.h"

namespace snakepit::shm::test {

// What a webhook got, rule and status of each message.
class Receiver {
  public:
    explicit Receiver(int port = 0);  // 0: any
    ~Receiver();
    int port() const { return port_; }
    QStringList got() const;

  private:
    httplib::Server server_;
    int port_ = 0;
    mutable std::mutex mutex_;
    QStringList got_;
    std::thread thread_;
};

// A base of test classes: each test has a service and a receiver of its own.
class AlertFixture {
  protected:
    bool begin();
    void end();

    void configure(const QString& more = {}, const QString& command = {}) const;
    // Sets a rule from its fields; the file as the command line wants one.
    bool set_rule(const QJsonObject& rule) const;
    // One of the default set, with other durations or thresholds.
    bool change_rule(const QString& name, const QJsonObject& changes) const;
    QList<QJsonObject> alerts_of(const QString& rule, const QString& state,
                                 const QStringList& words = {}) const;
    bool fires(const QString& rule) const;
    bool is_resolved(const QString& rule) const;
    // How often the webhook was told so; waits until it was at all.
    int told(const QString& what) const;
    int command_told(const QString& rule, const QString& status) const;
    int events(const QString& kind) const;
    QString allocate() const;

    std::unique_ptr<Receiver> receiver_;
    std::unique_ptr<Service> service_;
};

}  // namespace snakepit::shm::test
