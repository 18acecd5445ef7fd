// SPDX-License-Identifier: MIT
#include <windows.h>

#include "base/time.h"

namespace snakepit::shm {

// Since Windows started, with the time that it slept.
std::int64_t boot_micros() {
    ULONGLONG hundreds = 0;  // of nanoseconds
    ::QueryInterruptTime(&hundreds);
    return static_cast<std::int64_t>(hundreds / 10);
}

}  // namespace snakepit::shm
