// SPDX-License-Identifier: MIT
// The C interface: arguments checked, errors kept for the thread, the rest is ManagerClient's.
#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <string>

#include "client/client_table.h"
#include "client/manager_client.h"
#include "snakepit/shm/snakepit_shm.h"

using namespace snakepit::shm;

namespace {

// In a mapping's last reserved number.
constexpr std::uint64_t kTellRelease = 1, kAudited = 2, kTimed = 4;

#define X(name, type, number) static_assert(static_cast<int>(ErrorCode::name) == (number));
SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
static_assert(SNAKEPIT_SHM_NOT_SUPPORTED == static_cast<int>(ErrorCode::not_supported));
static_assert(SNAKEPIT_SHM_FORKED == static_cast<int>(ErrorCode::forked));
static_assert(SNAKEPIT_SHM_CLIENT_CLOSED == static_cast<int>(ErrorCode::client_closed));

thread_local std::string last_error;

snakepit_shm_status failed(const Error& error) {
    last_error = error.sentence();
    return static_cast<snakepit_shm_status>(error.code);
}

snakepit_shm_status bad_argument(const char* what) {
    return failed(make_error(ErrorCode::invalid_argument, what, "see snakepit/shm/snakepit_shm.h"));
}

// No exception crosses the C interface; the only ones there are mean that memory ran out.
template <typename F>
snakepit_shm_status guarded(F&& body) {
    try {
        last_error.clear();
        return body();
    } catch (const std::exception& error) {
        return failed(
            make_error(ErrorCode::platform_error, error.what(), "free memory and try again"));
    }
}

// The same in a client, which is not freed meanwhile.
enum class With : std::uint8_t { open_client, closed_client_too };
template <typename F>
snakepit_shm_status in_client(const snakepit_shm_client* client, F&& body,
                              With with = With::open_client) {
    return guarded([&] {
        const ClientCall call(client, with == With::closed_client_too);
        return call ? body(*call) : failed(call.error());
    });
}

// The same for one region of it.
template <typename F>
snakepit_shm_status on_region(const snakepit_shm_client* client, const char* id, F&& body,
                              With with = With::open_client) {
    return in_client(
        client,
        [&](ManagerClient& manager) {
            const auto region = RegionId::parse(id);
            return region ? body(manager, *region) : failed(region.error());
        },
        with);
}

template <typename T, typename F>
snakepit_shm_status finish(Result<T> result, F&& use) {
    if (!result) return failed(result.error());
    if constexpr (std::is_same_v<decltype(use(*result)), snakepit_shm_status>) {
        return use(*result);
    } else {
        use(*result);
        return SNAKEPIT_SHM_OK;
    }
}

RegionOptions from_c(const snakepit_shm_options& c) {
    RegionOptions options;
    options.timeout_ms = c.timeout_ms;
    if (c.security_level != SNAKEPIT_SHM_SECURITY_DEFAULT)
        options.security_level = static_cast<SecurityLevel>(c.security_level);
    options.access_mode = static_cast<AccessMode>(c.access_mode);
    options.cleanup_policy = static_cast<CleanupPolicy>(c.cleanup_policy);
    options.placement = static_cast<Placement>(c.placement);
    options.permissions = {static_cast<Permission>(c.owner), static_cast<Permission>(c.group),
                           static_cast<Permission>(c.other)};
    if (c.metadata) options.metadata = c.metadata;
    options.owned_by_user = c.owned_by_user;
    options.durable = c.durable;
    options.exact_permissions = c.exact_permissions;
    return options;
}

snakepit_shm_region_info to_c(const RegionInfo& info) {
    snakepit_shm_region_info out{};
    out.struct_size = sizeof out;
    std::strncpy(out.id, info.id.str().c_str(), sizeof out.id - 1);
    out.size = info.size;
    out.actual_size = info.actual_size;
    out.created_at = info.created_at.micros;
    out.last_accessed = info.last_accessed.micros;
    out.access_count = info.access_count;
    out.reference_count = info.reference_count;
    out.owner_pid = info.owner_pid;
    out.owner_uid = info.owner_uid;
    out.security_level = static_cast<snakepit_shm_security>(info.security_level);
    out.cleanup_policy = static_cast<snakepit_shm_cleanup_policy>(info.cleanup_policy);
    out.access_mode = static_cast<snakepit_shm_access>(info.access_mode);
    out.timeout_ms = info.timeout_ms;
    std::strncpy(out.state, std::string(to_string(info.state)).c_str(), sizeof out.state - 1);
    return out;
}

// Copies as much as the caller's version of a struct has room for.
template <typename T>
void copy_sized(T* to, const T& from) {
    const auto size = to->struct_size < sizeof(T) ? to->struct_size : sizeof(T);
    std::memcpy(to, &from, size);
    to->struct_size = size;
}
template <typename T>
T read_sized(const T* from, T defaults) {
    if (!from) return defaults;
    std::memcpy(&defaults, from, from->struct_size < sizeof(T) ? from->struct_size : sizeof(T));
    return defaults;
}

// A mapping as C keeps it. The library's own four words: the slot, its generation, and in the
// others what the caller asked for and what the region is.
snakepit_shm_mapping to_c(const MappedRegion& mapped) {
    const auto kind = static_cast<uint64_t>(mapped.access) | static_cast<uint64_t>(mapped.level)
                                                                 << 8;
    return {mapped.data,
            mapped.size,
            {mapped.slot, mapped.generation, kind,
             (mapped.tell_release ? kTellRelease : 0) | (mapped.audited ? kAudited : 0) |
                 (mapped.timed ? kTimed : 0)}};
}
MappedRegion from_c(const snakepit_shm_mapping& mapping) {
    return {static_cast<std::byte*>(mapping.data),
            mapping.size,
            static_cast<std::uint32_t>(mapping.reserved[0]),
            mapping.reserved[1],
            static_cast<AccessMode>(mapping.reserved[2] & 0xFF),
            (mapping.reserved[3] & kTellRelease) != 0,
            (mapping.reserved[3] & kAudited) != 0,
            static_cast<SecurityLevel>(mapping.reserved[2] >> 8),
            (mapping.reserved[3] & kTimed) != 0};
}

AccessMode mode_of(snakepit_shm_access access) {
    return access == SNAKEPIT_SHM_READ_WRITE ? AccessMode::read_write : AccessMode::read_only;
}

std::uint64_t to_c(const LockGrant& granted) {
    return granted.token | (granted.inconsistent ? SNAKEPIT_SHM_TOKEN_INCONSISTENT : 0);
}

snakepit_shm_status finish(const Status& status) {
    return status ? SNAKEPIT_SHM_OK : failed(status.error());
}

}  // namespace

extern "C" {

snakepit_shm_status snakepit_shm_connect(const char* instance, snakepit_shm_client** out) {
    return snakepit_shm_connect_within(instance, 10'000, out);
}

snakepit_shm_status snakepit_shm_connect_within(const char* instance, uint32_t wait_ms,
                                                snakepit_shm_client** out) {
    if (!out) return bad_argument("connect was given no place for the client");
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
    if (!client || !id) return bad_argument("allocate was given no client or no place for the id");
    return in_client(client, [&](ManagerClient& manager) {
        const auto chosen = read_sized(options, snakepit_shm_options SNAKEPIT_SHM_OPTIONS_INIT);
        return finish(manager.allocate(size, from_c(chosen)), [&](const RegionId& made) {
            const auto text = made.str();
            std::memcpy(id, text.c_str(), text.size() + 1);
        });
    });
}

snakepit_shm_status snakepit_shm_map(snakepit_shm_client* client, const char* id,
                                     snakepit_shm_access access, snakepit_shm_mapping* out) {
    if (!client || !id || !out)
        return bad_argument("map was given no client, no id or no place for the mapping");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.map(region, mode_of(access)),
                      [&](const MappedRegion& mapped) { *out = to_c(mapped); });
    });
}

snakepit_shm_status snakepit_shm_unmap(snakepit_shm_client* client, snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("unmap was given no client or no mapping");
    const auto give = [&](ManagerClient& manager) {
        const auto given = manager.unmap(from_c(*mapping));
        // Given back, but its last changes could not be written: there is no mapping either way.
        if (mapping->reserved[2] >> 8 != 0 && (given || given.error().code != ErrorCode::forked))
            *mapping = {};
        if (!given) return failed(given.error());
        *mapping = {};
        return SNAKEPIT_SHM_OK;
    };
    return in_client(client, give, With::closed_client_too);
}

snakepit_shm_status snakepit_shm_deallocate(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("deallocate was given no client or no id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.deallocate(region), [](bool) {});
    });
}

snakepit_shm_status snakepit_shm_seal(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("seal was given no client or no id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.seal(region), [](bool) {});
    });
}

snakepit_shm_status snakepit_shm_read(snakepit_shm_client* client, const char* id, uint64_t offset,
                                      void* buffer, uint64_t size) {
    if (!client || !id || (!buffer && size > 0))
        return bad_argument("read was given no client, no id or no buffer");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.read(region, offset, {static_cast<std::byte*>(buffer), size}));
    });
}

snakepit_shm_status snakepit_shm_write(snakepit_shm_client* client, const char* id, uint64_t offset,
                                       const void* buffer, uint64_t size) {
    if (!client || !id || (!buffer && size > 0))
        return bad_argument("write was given no client, no id or no buffer");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.write(region, offset, {static_cast<const std::byte*>(buffer), size}));
    });
}

snakepit_shm_status snakepit_shm_flush(snakepit_shm_client* client,
                                       const snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("flush was given no client or no mapping");
    return in_client(
        client, [&](ManagerClient& manager) { return finish(manager.flush(from_c(*mapping))); });
}

snakepit_shm_status snakepit_shm_refresh(snakepit_shm_client* client,
                                         const snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("refresh was given no client or no mapping");
    return in_client(
        client, [&](ManagerClient& manager) { return finish(manager.refresh(from_c(*mapping))); });
}

snakepit_shm_status snakepit_shm_rotate_key(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("rotate_key was given no client or no id");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.rotate_key(region), [](std::uint32_t) {});
    });
}

snakepit_shm_status snakepit_shm_info(snakepit_shm_client* client, const char* id,
                                      snakepit_shm_region_info* out) {
    if (!client || !id || !out || out->struct_size < sizeof out->struct_size)
        return bad_argument("info was given no client, no id or no struct_size");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.info(region),
                      [&](const RegionInfo& info) { copy_sized(out, to_c(info)); });
    });
}

snakepit_shm_status snakepit_shm_list(snakepit_shm_client* client, const char* filter,
                                      snakepit_shm_list_callback callback, void* context) {
    if (!client || !callback) return bad_argument("list was given no client or no callback");
    std::vector<RegionInfo> regions;
    const auto listed = in_client(client, [&](ManagerClient& manager) {
        return finish(manager.list(filter ? filter : ""),
                      [&](std::vector<RegionInfo>& found) { regions = std::move(found); });
    });
    if (listed != SNAKEPIT_SHM_OK) return listed;
    // Outside the client: the callback may do with it what it likes, disconnect included.
    for (const auto& region : regions) {
        const auto info = to_c(region);
        if (!callback(&info, context)) break;
    }
    return SNAKEPIT_SHM_OK;
}

snakepit_shm_status snakepit_shm_cleanup(snakepit_shm_client* client,
                                         const snakepit_shm_cleanup_options* options,
                                         snakepit_shm_cleanup_result* out) {
    if (!client) return bad_argument("cleanup was given no client");
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

snakepit_shm_status snakepit_shm_lock(snakepit_shm_client* client, const char* id,
                                      snakepit_shm_access mode, uint32_t timeout_ms,
                                      uint64_t* token) {
    if (!client || !id || !token)
        return bad_argument("lock was given no client, no id or no place for the token");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.lock(region, mode_of(mode), timeout_ms),
                      [&](const LockGrant& granted) { *token = to_c(granted); });
    });
}

snakepit_shm_status snakepit_shm_lock_begin(snakepit_shm_client* client, const char* id,
                                            snakepit_shm_access mode, uint32_t owner,
                                            uint64_t* ticket) {
    if (!client || !id || !ticket)
        return bad_argument("lock_begin was given no client, no id or no place for the ticket");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.lock_begin(region, mode_of(mode), owner),
                      [&](std::uint64_t begun) { *ticket = begun; });
    });
}

snakepit_shm_status snakepit_shm_lock_wait(snakepit_shm_client* client, uint64_t ticket,
                                           uint32_t timeout_ms, uint64_t* token) {
    if (!client || !token)
        return bad_argument("lock_wait was given no client or no place for the token");
    return in_client(client, [&](ManagerClient& manager) {
        return finish(
            manager.lock_wait(ticket, timeout_ms), [&](const std::optional<LockGrant>& granted) {
                *token = granted ? to_c(*granted) : 0;
                return granted ? SNAKEPIT_SHM_OK
                               : failed(make_error(ErrorCode::timeout, "the lock is waited for",
                                                   "wait on with the same ticket, or cancel it"));
            });
    });
}

snakepit_shm_status snakepit_shm_cancel(snakepit_shm_client* client, uint64_t ticket) {
    if (!client) return bad_argument("cancel was given no client");
    return in_client(
        client, [&](ManagerClient& manager) { return finish(manager.lock_cancel(ticket)); },
        With::closed_client_too);
}

snakepit_shm_status snakepit_shm_unlock(snakepit_shm_client* client, const char* id,
                                        uint64_t token) {
    if (!client || !id) return bad_argument("unlock was given no client or no id");
    const auto give = [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.unlock(region, token & ~SNAKEPIT_SHM_TOKEN_INCONSISTENT));
    };
    return on_region(client, id, give, With::closed_client_too);
}

snakepit_shm_status snakepit_shm_announce(snakepit_shm_client* client, const char* worker,
                                          const char* pool, const char* session) {
    if (!client) return bad_argument("announce was given no client");
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

const char* snakepit_shm_last_error(void) {
    return last_error.c_str();
}

const char* snakepit_shm_status_name(snakepit_shm_status status) {
    return status == SNAKEPIT_SHM_OK ? "ok" : to_string(static_cast<ErrorCode>(status)).data();
}

}  // extern "C"
