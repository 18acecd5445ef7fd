// SPDX-License-Identifier: MIT
// The C interface: signals, events, and mapping without a request.
#include "client/c_interface_support.h"

using namespace snakepit::shm;

namespace {

snakepit_shm_event to_c(const ClientEvent& event) {
    snakepit_shm_event out{};
    out.struct_size = sizeof out;
    out.kind = static_cast<snakepit_shm_event_kind>(event.kind);
    out.status = static_cast<snakepit_shm_status>(event.code);
    out.ticket = event.ticket;
    out.token = event.granted ? snakepit::shm::to_c(*event.granted) : 0;
    out.now = event.now;
    std::strncpy(out.id, event.id.str().c_str(), sizeof out.id - 1);
    return out;
}

}  // namespace

extern "C" {

snakepit_shm_status snakepit_shm_map_cached(snakepit_shm_client* client, const char* id,
                                            snakepit_shm_access access, snakepit_shm_mapping* out) {
    if (!client || !id || !out)
        return bad_argument("map_cached requires a client, an id and a pointer for the mapping");
    return in_client(client, [&](ManagerClient& manager) {
        const auto region = RegionId::parse(id);
        if (region)
            return finish(manager.map_cached(*region, mode_of(access)),
                          [&](const MappedRegion& mapped) { *out = snakepit::shm::to_c(mapped); });
        if (const auto name = RegionName::parse(id); !name) return failed(name.error());
        return failed(make_error(ErrorCode::not_cached,
                                 "the manager alone knows which region has a name",
                                 "map it by its id, which snakepit_shm_resolve() finds"));
    });
}

snakepit_shm_status snakepit_shm_notify(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("notify requires a client and an id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.notify(region));
    });
}

snakepit_shm_status snakepit_shm_wait(snakepit_shm_client* client, const char* id, uint64_t since,
                                      uint32_t timeout_ms, uint64_t* now) {
    if (!client || !id) return bad_argument("wait requires a client and an id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(
            manager.wait(region, since, timeout_ms),
            [&](const std::optional<std::uint64_t>& counter) {
                if (now) *now = counter.value_or(since);
                return counter ? SNAKEPIT_SHM_OK
                               : failed(make_error(ErrorCode::timeout,
                                                   "the region was not notified", "wait again"));
            });
    });
}

snakepit_shm_status snakepit_shm_wait_begin(snakepit_shm_client* client, const char* id,
                                            uint64_t since, uint64_t* ticket) {
    if (!client || !id || !ticket)
        return bad_argument("wait_begin requires a client, an id and a pointer for the ticket");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.wait_begin(region, since),
                      [&](std::uint64_t begun) { *ticket = begun; });
    });
}

int snakepit_shm_event_fd(snakepit_shm_client* client) {
    int descriptor = -1;
    if (!client) {
        bad_argument("event_fd requires a client");
        return -1;
    }
    in_client(client, [&](ManagerClient& manager) {
        return finish(manager.event_fd(), [&](int made) { descriptor = made; });
    });
    return descriptor;
}

snakepit_shm_status snakepit_shm_next_event(snakepit_shm_client* client, snakepit_shm_event* out) {
    if (!client || !out || out->struct_size < sizeof out->struct_size)
        return bad_argument("next_event requires a client and a struct_size");
    return in_client(client, [&](ManagerClient& manager) {
        return finish(manager.next_event(), [&](const std::optional<ClientEvent>& event) {
            if (!event)
                return failed(make_error(ErrorCode::no_event, "nothing was decided yet",
                                         "wait until the event descriptor is readable"));
            copy_sized(out, to_c(*event));
            return SNAKEPIT_SHM_OK;
        });
    });
}

}  // extern "C"
