// SPDX-License-Identifier: MIT
// A memory barrier that one thread executes for all threads of the process, so that their fast
// paths need none.
#pragma once

namespace snakepit::shm {

// Whether process_barrier() is available. Call it in every process, also after fork, before threads
// rely on it; once false it stays false.
bool prepare_process_barrier();

// Afterwards every thread of the process has executed a full memory barrier since the call began.
void process_barrier();

}  // namespace snakepit::shm
