// SPDX-License-Identifier: MIT
// The C interface of locks.
#include "client/c_interface_support.h"

using namespace snakepit::shm;

namespace {

using Release = Status (ManagerClient::*)(const RegionId&, std::uint64_t);

snakepit_shm_status on_locked(snakepit_shm_client* client, const char* id, uint64_t token,
                              Release release) {
    token &= ~SNAKEPIT_SHM_TOKEN_INCONSISTENT;
    const auto give = [&](ManagerClient& manager, const RegionId& region) {
        return finish((manager.*release)(region, token));
    };
    const auto find = [&](ManagerClient& manager) {
        if (const auto region = RegionId::parse(id)) return give(manager, *region);
        // The name may be another region's by now, and a closed client cannot ask.
        if (const auto region = manager.locked_with(token)) return give(manager, *region);
        return on_named(manager, id, give);
    };
    return in_client(client, find, With::closed_client_too);
}

}  // namespace

extern "C" {

snakepit_shm_status snakepit_shm_lock(snakepit_shm_client* client, const char* id,
                                      snakepit_shm_access mode, uint32_t timeout_ms,
                                      uint64_t* token) {
    return snakepit_shm_lock_as(client, id, mode, timeout_ms, 0, token);
}

snakepit_shm_status snakepit_shm_lock_as(snakepit_shm_client* client, const char* id,
                                         snakepit_shm_access mode, uint32_t timeout_ms,
                                         uint32_t owner, uint64_t* token) {
    if (!client || !id || !token)
        return bad_argument("lock requires a client, an id and a pointer for the token");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.lock(region, mode_of(mode), timeout_ms, owner),
                      [&](const LockGrant& granted) { *token = to_c(granted); });
    });
}

snakepit_shm_status snakepit_shm_lock_begin(snakepit_shm_client* client, const char* id,
                                            snakepit_shm_access mode, uint32_t owner,
                                            uint64_t* ticket) {
    if (!client || !id || !ticket)
        return bad_argument("lock_begin requires a client, an id and a pointer for the ticket");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.lock_begin(region, mode_of(mode), owner),
                      [&](std::uint64_t begun) { *ticket = begun; });
    });
}

snakepit_shm_status snakepit_shm_lock_wait(snakepit_shm_client* client, uint64_t ticket,
                                           uint32_t timeout_ms, uint64_t* token) {
    if (!client || !token)
        return bad_argument("lock_wait requires a client and a pointer for the token");
    return in_client(client, [&](ManagerClient& manager) {
        return finish(
            manager.lock_wait(ticket, timeout_ms), [&](const std::optional<LockGrant>& granted) {
                *token = granted ? to_c(*granted) : 0;
                return granted ? SNAKEPIT_SHM_OK
                               : failed(make_error(
                                     ErrorCode::timeout, "the lock request is still queued",
                                     "wait again with the same ticket, or cancel it"));
            });
    });
}

snakepit_shm_status snakepit_shm_cancel(snakepit_shm_client* client, uint64_t ticket) {
    if (!client) return bad_argument("cancel requires a client");
    return in_client(
        client, [&](ManagerClient& manager) { return finish(manager.lock_cancel(ticket)); },
        With::closed_client_too);
}

snakepit_shm_status snakepit_shm_unlock(snakepit_shm_client* client, const char* id,
                                        uint64_t token) {
    if (!client || !id) return bad_argument("unlock requires a client and an id");
    return on_locked(client, id, token, &ManagerClient::unlock);
}

snakepit_shm_status snakepit_shm_lock_abandon(snakepit_shm_client* client, const char* id,
                                              uint64_t token) {
    if (!client || !id) return bad_argument("lock_abandon requires a client and an id");
    return on_locked(client, id, token, &ManagerClient::abandon);
}

}  // extern "C"
