/* SPDX-License-Identifier: MIT */
/* Compiled with all warnings as errors, as a program of others may be. */
#include "snakepit/shm/snakepit_shm.h"

int main(void) {
    snakepit_shm_client* client = NULL;
    snakepit_shm_options options = SNAKEPIT_SHM_OPTIONS_INIT;
    char id[SNAKEPIT_SHM_ID_SIZE];
    if (snakepit_shm_connect(NULL, &client) != SNAKEPIT_SHM_OK) return 1;
    options.durable = true;
    if (snakepit_shm_allocate(client, 4096, &options, id) != SNAKEPIT_SHM_OK) return 1;
    snakepit_shm_disconnect(client);
    return 0;
}
