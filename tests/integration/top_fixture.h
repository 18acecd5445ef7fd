// SPDX-License-Identifier: MIT
// The terminal monitor before a person, with a service of its own; for each test function.
#pragma once

#include <QtTest>
#include <memory>

#include "service_fixture.h"
#include "terminal_session.h"

namespace snakepit::shm::test {

class TopFixture : public QObject {
  protected:
    void begin() {
        service_ = std::make_unique<Service>();
        QVERIFY(service_->start());
    }
    void end() {
        session_.reset();
        service_.reset();
    }
    void open(const QString& terminal = "xterm-256color", int columns = 100, int lines = 30) {
        session_ = std::make_unique<TerminalSession>(program(), QStringList{"top"}, environment(),
                                                     terminal, columns, lines);
    }
    QString program() const { return QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm"; }
    QProcessEnvironment environment() const {
        return service_->host().environment(service_->instance());
    }

    std::unique_ptr<Service> service_;
    std::unique_ptr<TerminalSession> session_;
};

}  // namespace snakepit::shm::test
