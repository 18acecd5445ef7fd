// SPDX-License-Identifier: MIT
// How long runs are asked for by hand.
#pragma once

#include <QtGlobal>

namespace snakepit::shm::test {

inline int from_environment(const char* name, int otherwise) {
    bool number = false;
    const int value = qEnvironmentVariableIntValue(name, &number);
    return number ? value : otherwise;
}

}  // namespace snakepit::shm::test
