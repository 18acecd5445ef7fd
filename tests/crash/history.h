// SPDX-License-Identifier: MIT
#pragma once

#include <QString>

#include <string>

namespace snakepit::shm::test {

// Invariant 4, of an instance that has no region left: every number of every epoch is in the
// database once, without holes; every region was allocated once and freed once. Empty, or what is
// wrong.
QString check_history(const std::string& database);

}  // namespace snakepit::shm::test
