// SPDX-License-Identifier: MIT
#pragma once

#include <QDir>
#include <QFile>
#include <QTest>
#include <algorithm>
#include <csignal>

#include "service_fixture.h"

namespace snakepit::shm::test {

// Stops a process with SIGSTOP; returns when each of its threads has stopped. The signal alone does
// not say when: on a busy machine a thread may go on until the one that got it is scheduled.
inline bool pause_process(qint64 pid) {
    if (::kill(static_cast<pid_t>(pid), SIGSTOP) != 0) return false;
    const QDir threads(QString("/proc/%1/task").arg(pid));
    return QTest::qWaitFor(
        [&] {
            const auto all = threads.entryList(QDir::Dirs | QDir::NoDotAndDotDot);
            return std::all_of(all.begin(), all.end(), [&](const QString& thread) {
                QFile stat(threads.filePath(thread + "/stat"));
                return stat.open(QIODevice::ReadOnly) && stat.readAll().contains(") T ");
            });
        },
        kPatienceMs);
}

}  // namespace snakepit::shm::test
