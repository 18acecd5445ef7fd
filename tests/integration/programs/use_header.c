/* SPDX-License-Identifier: MIT */
/* Compiled with all warnings as errors, as a program of others may be. */
#include "snakepit/shm/snakepit_shm.h"
#include "snakepit/shm/snakepit_shm_ring.h"

int main(void) {
    snakepit_shm_client* client = NULL;
    snakepit_shm_options options = SNAKEPIT_SHM_OPTIONS_INIT;
    char id[SNAKEPIT_SHM_ID_SIZE];
    if (snakepit_shm_connect(NULL, &client) != SNAKEPIT_SHM_OK) return 1;
    options.durable = true;
    if (snakepit_shm_allocate(client, 4096, &options, id) != SNAKEPIT_SHM_OK) return 1;
    {
        const snakepit_shm_ring_options chosen = SNAKEPIT_SHM_RING_OPTIONS_INIT;
        snakepit_shm_ring* ring = NULL;
        if (snakepit_shm_ring_create(client, "ring", &chosen, SNAKEPIT_SHM_RING_PRODUCER, 0,
                                     &ring) != SNAKEPIT_SHM_OK)
            return 1;
        snakepit_shm_ring_close(ring);
    }
    snakepit_shm_disconnect(client);
    return 0;
}
