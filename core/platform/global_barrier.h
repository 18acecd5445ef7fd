// SPDX-License-Identifier: MIT
// A memory barrier that one thread executes for the threads of all processes that take part, so
// that their fast paths need none.
#pragma once

namespace snakepit::shm {

// This process takes part from now on. False: it cannot, and has to order its own stores with
// fences. Call it in every process, also after fork.
bool join_global_barrier();

// Afterwards every thread of every process that takes part has executed a full memory barrier since
// the call began, and so has the caller. False: the system refused.
bool global_barrier();

}  // namespace snakepit::shm
