// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <QSet>
#include <QString>

#include <string>

#include "client/manager_client.h"

namespace snakepit::shm::test {

// Segments without a name that a process has descriptors of, as regions name them.
QSet<QString> anonymous_segments(qint64 pid);
// Those that the keeper listening there would give to the next manager.
QSet<QString> kept_segments(const std::string& keeper_socket);

// What the manager says of its keeper.
struct KeeperState {
    pid_t pid = 0;  // 0: there is none
    int segments = 0, kept = 0;
};
KeeperState keeper_of(ManagerClient& client);

}  // namespace snakepit::shm::test
