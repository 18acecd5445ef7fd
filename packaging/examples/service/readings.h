/* SPDX-License-Identifier: MIT
 * What the region holds, for C and C++. A reader copies it and believes the copy only if `version`
 * was even before and the same after. */
#ifndef EXAMPLE_READINGS_H
#define EXAMPLE_READINGS_H

#include <stdint.h>

#define READINGS 16

typedef struct readings {
    uint64_t version; /* odd while it is being written */
    uint64_t count;   /* samples so far */
    double value[READINGS];
} readings;

#endif
