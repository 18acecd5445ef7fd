// SPDX-License-Identifier: MIT
// The C interface: checks arguments and keeps the error per thread; ManagerClient does the rest.
#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <string>

#include "base/version.h"
#include "client/c_interface_support.h"

using namespace snakepit::shm;

#define X(name, type, number) static_assert(static_cast<int>(ErrorCode::name) == (number));
SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
static_assert(SNAKEPIT_SHM_NOT_SUPPORTED == static_cast<int>(ErrorCode::not_supported));
static_assert(SNAKEPIT_SHM_FORKED == static_cast<int>(ErrorCode::forked));
static_assert(SNAKEPIT_SHM_CLIENT_CLOSED == static_cast<int>(ErrorCode::client_closed));

extern "C" {

snakepit_shm_status snakepit_shm_connect(const char* instance, snakepit_shm_client** out) {
    return snakepit_shm_connect_within(instance, 10'000, out);
}

snakepit_shm_status snakepit_shm_connect_within(const char* instance, uint32_t wait_ms,
                                                snakepit_shm_client** out) {
    if (!out) return bad_argument("connect requires a pointer for the client");
    *out = nullptr;
    return guarded([&] {
        ConnectOptions options;
        if (instance) options.instance = instance;
        options.timeout_ms = static_cast<int>(std::min<std::uint32_t>(wait_ms, INT_MAX));
        options.await_restart = true;
        return finish(ManagerClient::connect(options), [&](auto& manager) {
            return finish(ClientTable::add(std::move(manager)),
                          [&](snakepit_shm_client* client) { *out = client; });
        });
    });
}

void snakepit_shm_close(snakepit_shm_client* client) {
    ClientTable::close(client);
}

void snakepit_shm_disconnect(snakepit_shm_client* client) {
    ClientTable::remove(client);
}

snakepit_shm_status snakepit_shm_allocate(snakepit_shm_client* client, uint64_t size,
                                          const snakepit_shm_options* options,
                                          char id[SNAKEPIT_SHM_ID_SIZE]) {
    if (!client || !id) return bad_argument("allocate requires a client and a buffer for the id");
    return in_client(client, [&](ManagerClient& manager) {
        const auto chosen = read_sized(options, snakepit_shm_options SNAKEPIT_SHM_OPTIONS_INIT);
        if (chosen.name)
            if (const auto name = check_region_name(chosen.name); !name)
                return failed(name.error());
        return finish(manager.allocate(size, from_c(chosen)),
                      [&](const RegionId& made) { to_c(made, id); });
    });
}

snakepit_shm_status snakepit_shm_map(snakepit_shm_client* client, const char* id,
                                     snakepit_shm_access access, snakepit_shm_mapping* out) {
    if (!client || !id || !out)
        return bad_argument("map requires a client, an id and a pointer for the mapping");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.map(region, mode_of(access)),
                      [&](const MappedRegion& mapped) { *out = to_c(mapped); });
    });
}

snakepit_shm_status snakepit_shm_unmap(snakepit_shm_client* client, snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("unmap requires a client and a mapping");
    const auto give = [&](ManagerClient& manager) {
        const auto given = manager.unmap(from_c(*mapping));
        // Released, but its last changes could not be written: the mapping ends in both cases.
        if (mapping->reserved[2] >> 8 != 0 && (given || given.error().code != ErrorCode::forked))
            *mapping = {};
        if (!given) return failed(given.error());
        *mapping = {};
        return SNAKEPIT_SHM_OK;
    };
    return in_client(client, give, With::closed_client_too);
}

snakepit_shm_status snakepit_shm_deallocate(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("deallocate requires a client and an id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.deallocate(region), [](bool) {});
    });
}

snakepit_shm_status snakepit_shm_seal(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("seal requires a client and an id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.seal(region), [](bool) {});
    });
}

snakepit_shm_status snakepit_shm_read(snakepit_shm_client* client, const char* id, uint64_t offset,
                                      void* buffer, uint64_t size) {
    if (!client || !id || (!buffer && size > 0))
        return bad_argument("read requires a client, an id and a buffer");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.read(region, offset, {static_cast<std::byte*>(buffer), size}));
    });
}

snakepit_shm_status snakepit_shm_write(snakepit_shm_client* client, const char* id, uint64_t offset,
                                       const void* buffer, uint64_t size) {
    if (!client || !id || (!buffer && size > 0))
        return bad_argument("write requires a client, an id and a buffer");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.write(region, offset, {static_cast<const std::byte*>(buffer), size}));
    });
}

snakepit_shm_status snakepit_shm_flush(snakepit_shm_client* client,
                                       const snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("flush requires a client and a mapping");
    return in_client(
        client, [&](ManagerClient& manager) { return finish(manager.flush(from_c(*mapping))); });
}

snakepit_shm_status snakepit_shm_refresh(snakepit_shm_client* client,
                                         const snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("refresh requires a client and a mapping");
    return in_client(
        client, [&](ManagerClient& manager) { return finish(manager.refresh(from_c(*mapping))); });
}

snakepit_shm_status snakepit_shm_rotate_key(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("rotate_key requires a client and an id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.rotate_key(region), [](std::uint32_t) {});
    });
}

snakepit_shm_status snakepit_shm_list(snakepit_shm_client* client, const char* filter,
                                      snakepit_shm_list_callback callback, void* context) {
    if (!client || !callback) return bad_argument("list requires a client and a callback");
    std::vector<RegionInfo> regions;
    const auto listed = in_client(client, [&](ManagerClient& manager) {
        return finish(manager.list(filter ? filter : ""),
                      [&](std::vector<RegionInfo>& found) { regions = std::move(found); });
    });
    if (listed != SNAKEPIT_SHM_OK) return listed;
    // Called outside the client: the callback may use it freely, and even disconnect.
    for (const auto& region : regions) {
        const auto info = to_c(region);
        if (!callback(&info, context)) break;
    }
    return SNAKEPIT_SHM_OK;
}

snakepit_shm_status snakepit_shm_cleanup(snakepit_shm_client* client,
                                         const snakepit_shm_cleanup_options* options,
                                         snakepit_shm_cleanup_result* out) {
    if (!client) return bad_argument("cleanup requires a client");
    return in_client(client, [&](ManagerClient& manager) {
        const auto chosen = read_sized(
            options, snakepit_shm_cleanup_options{sizeof(snakepit_shm_cleanup_options), false,
                                                  false, false, false, false, nullptr, nullptr});
        CleanupRequest request;
        request.dry_run = chosen.dry_run;
        request.orphans = chosen.orphans;
        request.expired = chosen.expired;
        request.all_eligible = chosen.all_eligible;
        request.no_quarantine = chosen.no_quarantine;
        if (chosen.session) request.session = chosen.session;
        if (chosen.worker) request.worker = chosen.worker;
        return finish(manager.cleanup(request), [&](const CleanupResult& result) {
            if (out) *out = {result.removed, result.bytes_freed};
        });
    });
}

snakepit_shm_status snakepit_shm_announce(snakepit_shm_client* client, const char* worker,
                                          const char* pool, const char* session) {
    if (!client) return bad_argument("announce requires a client");
    return in_client(client, [&](ManagerClient& manager) {
        const auto named =
            manager.announce(worker ? worker : "", pool ? pool : "", session ? session : "");
        return finish(named);
    });
}

uint64_t snakepit_shm_round_trips(const snakepit_shm_client* client) {
    const ClientCall call(client);
    return call ? call->round_trips() : 0;
}

bool snakepit_shm_unmap_blocks(const snakepit_shm_mapping* mapping) {
    return mapping && from_c(*mapping).level != SecurityLevel::standard;
}

const char* snakepit_shm_last_error(void) {
    return has_last_error ? last_error.c_str() : "";
}

const char* snakepit_shm_status_type(snakepit_shm_status status) {
    return status == SNAKEPIT_SHM_OK ? "ok"
                                     : to_string(type_of(static_cast<ErrorCode>(status))).data();
}

const char* snakepit_shm_version(void) {
    return kVersionText.data();
}

const char* snakepit_shm_status_name(snakepit_shm_status status) {
    return status == SNAKEPIT_SHM_OK ? "ok" : to_string(static_cast<ErrorCode>(status)).data();
}

}  // extern "C"
