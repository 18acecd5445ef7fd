// SPDX-License-Identifier: MIT
#include "platform/process_barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace snakepit::shm {

bool prepare_process_barrier() {
    static std::atomic<bool> refused{false};
    if (!refused.load() &&
        ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
        refused.store(true);
    return !refused.load();
}

void process_barrier() {
    ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

}  // namespace snakepit::shm
