// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

// What a process uses of the system now, as the kernel counts it.
struct ProcessUse {
    int descriptors = 0;
    int mappings = 0;  // of files and segments; the heap's are in own_kib
    int threads = 0;
    long own_kib = 0;     // memory of its own: heap and stacks
    long shared_kib = 0;  // pages of shared memory it has touched and not let go

    static ProcessUse of(pid_t pid);
};
