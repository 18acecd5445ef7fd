// SPDX-License-Identifier: MIT
// A memory barrier that one thread makes for all threads of the process, so that what they do often
// needs none of its own.
#pragma once

namespace snakepit::shm {

// Whether process_barrier() can be had. Asked for by every process, also by a forked one, before
// its threads rely on it; false once means false for good.
bool prepare_process_barrier();

// Afterwards every thread of the process has executed a full memory barrier since the call began.
void process_barrier();

}  // namespace snakepit::shm
