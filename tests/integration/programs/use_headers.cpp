// SPDX-License-Identifier: MIT
// Compiled with all warnings as errors, as a program of others may be.
#include "snakepit/shm/client.h"
#include "snakepit/shm/ring.h"

int main() {
    auto client = snakepit::Client::connect("instance");
    if (!client) return 1;
    snakepit::Options options;
    options.durable = true;
    options.exact_permissions = true;
    const auto region = client->allocate(4096, options);
    if (!region) return 1;
    const auto mapping = region->map_writable();
    const auto lock = region->lock();
    const auto other = region->lock_as(SNAKEPIT_SHM_FIRST_OWNER, SNAKEPIT_SHM_READ_ONLY);
    auto ring = snakepit::Ring::produce(*client, "ring", {});
    if (!ring || !ring->push({}) || !ring->acquire() || !ring->peek() || !ring->check()) return 1;
    ring->close();
    return mapping && lock && other && client->cleanup() && client->list() && region->info() &&
                   region->seal() && client->seal(region->id())
               ? 0
               : 1;
}
