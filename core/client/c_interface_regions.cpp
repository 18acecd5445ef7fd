// SPDX-License-Identifier: MIT
// The C interface: names of regions.
#include "client/c_interface_support.h"

using namespace snakepit::shm;

extern "C" {

snakepit_shm_status snakepit_shm_resolve(snakepit_shm_client* client, const char* name,
                                         char id[SNAKEPIT_SHM_ID_SIZE]) {
    if (!client || !name || !id)
        return bad_argument("resolve requires a client, a name and a buffer for the id");
    return in_client(client, [&](ManagerClient& manager) {
        return finish(manager.resolve(name), [&](const RegionId& region) { to_c(region, id); });
    });
}

}  // extern "C"
