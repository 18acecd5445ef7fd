/* SPDX-License-Identifier: MIT
 * Reads what example-service publishes. Needs the client library alone:
 *   cc reader.c $(pkg-config --cflags --libs snakepit-shm) -o reader
 *   ./reader INSTANCE REGION */
#include <stdio.h>
#include <string.h>

#include "readings.h"
#include "snakepit/shm/snakepit_shm.h"

static int complain(const char* what) {
    fprintf(stderr, "reader: %s: %s\n", what, snakepit_shm_last_error());
    return 1;
}

/* A copy that no write cut through. */
static readings consistent_copy(const readings* shared) {
    readings copy;
    uint64_t before, after;
    do {
        before = __atomic_load_n(&shared->version, __ATOMIC_ACQUIRE);
        memcpy(&copy, shared, sizeof copy);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        after = __atomic_load_n(&shared->version, __ATOMIC_RELAXED);
    } while (before != after || before % 2 != 0);
    return copy;
}

int main(int argc, char** argv) {
    snakepit_shm_client* client;
    snakepit_shm_mapping mapping;
    readings now;

    if (argc != 3) {
        fprintf(stderr, "usage: reader INSTANCE REGION\n");
        return 2;
    }
    if (snakepit_shm_connect(argv[1], &client) != SNAKEPIT_SHM_OK) return complain("connect");
    if (snakepit_shm_map(client, argv[2], SNAKEPIT_SHM_READ_ONLY, &mapping) != SNAKEPIT_SHM_OK)
        return complain("map");
    now = consistent_copy(mapping.data);
    printf("sample %llu: first %.6f, last %.6f\n", (unsigned long long)now.count, now.value[0],
           now.value[READINGS - 1]);
    if (snakepit_shm_unmap(client, &mapping) != SNAKEPIT_SHM_OK) return complain("unmap");
    snakepit_shm_disconnect(client);
    return 0;
}
