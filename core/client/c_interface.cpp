// SPDX-License-Identifier: MIT
// The C interface: arguments checked, errors kept for the thread, the rest is ManagerClient's.
#include <cstring>
#include <memory>
#include <string>

#include "client/manager_client.h"
#include "snakepit/shm/snakepit_shm.h"

using namespace snakepit::shm;

struct snakepit_shm_client {
    std::unique_ptr<ManagerClient> manager;
};

namespace {

// In a mapping's last reserved number.
constexpr std::uint64_t kTellRelease = 1, kAudited = 2, kTimed = 4;

#define X(name, type, number) static_assert(static_cast<int>(ErrorCode::name) == (number));
SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
static_assert(SNAKEPIT_SHM_NOT_SUPPORTED == static_cast<int>(ErrorCode::not_supported));
static_assert(SNAKEPIT_SHM_FORKED == static_cast<int>(ErrorCode::forked));

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

template <typename T, typename F>
snakepit_shm_status finish(Result<T> result, F&& use) {
    if (!result) return failed(result.error());
    use(*result);
    return SNAKEPIT_SHM_OK;
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

snakepit_shm_status finish(const Status& status) {
    return status ? SNAKEPIT_SHM_OK : failed(status.error());
}

}  // namespace

extern "C" {

snakepit_shm_status snakepit_shm_connect(const char* instance, snakepit_shm_client** out) {
    if (!out) return bad_argument("connect was given no place for the client");
    *out = nullptr;
    return guarded([&] {
        ConnectOptions options;
        if (instance) options.instance = instance;
        return finish(ManagerClient::connect(options),
                      [&](auto& manager) { *out = new snakepit_shm_client{std::move(manager)}; });
    });
}

void snakepit_shm_disconnect(snakepit_shm_client* client) {
    delete client;
}

snakepit_shm_status snakepit_shm_allocate(snakepit_shm_client* client, uint64_t size,
                                          const snakepit_shm_options* options,
                                          char id[SNAKEPIT_SHM_ID_SIZE]) {
    if (!client || !id) return bad_argument("allocate was given no client or no place for the id");
    return guarded([&] {
        const auto chosen = read_sized(options, snakepit_shm_options SNAKEPIT_SHM_OPTIONS_INIT);
        return finish(client->manager->allocate(size, from_c(chosen)), [&](const RegionId& made) {
            const auto text = made.str();
            std::memcpy(id, text.c_str(), text.size() + 1);
        });
    });
}

snakepit_shm_status snakepit_shm_map(snakepit_shm_client* client, const char* id,
                                     snakepit_shm_access access, snakepit_shm_mapping* out) {
    if (!client || !id || !out)
        return bad_argument("map was given no client, no id or no place for the mapping");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        const auto mode =
            access == SNAKEPIT_SHM_READ_WRITE ? AccessMode::read_write : AccessMode::read_only;
        return finish(client->manager->map(*region, mode),
                      [&](const MappedRegion& mapped) { *out = to_c(mapped); });
    });
}

snakepit_shm_status snakepit_shm_unmap(snakepit_shm_client* client, snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("unmap was given no client or no mapping");
    return guarded([&] {
        const auto given = client->manager->unmap(from_c(*mapping));
        // Given back, but its last changes could not be written: there is no mapping either way.
        if (mapping->reserved[2] >> 8 != 0 && (given || given.error().code != ErrorCode::forked))
            *mapping = {};
        if (!given) return failed(given.error());
        *mapping = {};
        return SNAKEPIT_SHM_OK;
    });
}

snakepit_shm_status snakepit_shm_deallocate(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("deallocate was given no client or no id");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        return finish(client->manager->deallocate(*region), [](bool) {});
    });
}

snakepit_shm_status snakepit_shm_seal(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("seal was given no client or no id");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        return finish(client->manager->seal(*region), [](bool) {});
    });
}

snakepit_shm_status snakepit_shm_read(snakepit_shm_client* client, const char* id, uint64_t offset,
                                      void* buffer, uint64_t size) {
    if (!client || !id || (!buffer && size > 0))
        return bad_argument("read was given no client, no id or no buffer");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        return finish(
            client->manager->read(*region, offset, {static_cast<std::byte*>(buffer), size}));
    });
}

snakepit_shm_status snakepit_shm_write(snakepit_shm_client* client, const char* id, uint64_t offset,
                                       const void* buffer, uint64_t size) {
    if (!client || !id || (!buffer && size > 0))
        return bad_argument("write was given no client, no id or no buffer");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        return finish(
            client->manager->write(*region, offset, {static_cast<const std::byte*>(buffer), size}));
    });
}

snakepit_shm_status snakepit_shm_flush(snakepit_shm_client* client,
                                       const snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("flush was given no client or no mapping");
    return guarded([&] { return finish(client->manager->flush(from_c(*mapping))); });
}

snakepit_shm_status snakepit_shm_refresh(snakepit_shm_client* client,
                                         const snakepit_shm_mapping* mapping) {
    if (!client || !mapping) return bad_argument("refresh was given no client or no mapping");
    return guarded([&] { return finish(client->manager->refresh(from_c(*mapping))); });
}

snakepit_shm_status snakepit_shm_rotate_key(snakepit_shm_client* client, const char* id) {
    if (!client || !id) return bad_argument("rotate_key was given no client or no id");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        return finish(client->manager->rotate_key(*region), [](std::uint32_t) {});
    });
}

snakepit_shm_status snakepit_shm_info(snakepit_shm_client* client, const char* id,
                                      snakepit_shm_region_info* out) {
    if (!client || !id || !out || out->struct_size < sizeof out->struct_size)
        return bad_argument("info was given no client, no id or no struct_size");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        return finish(client->manager->info(*region),
                      [&](const RegionInfo& info) { copy_sized(out, to_c(info)); });
    });
}

snakepit_shm_status snakepit_shm_list(snakepit_shm_client* client, const char* filter,
                                      snakepit_shm_list_callback callback, void* context) {
    if (!client || !callback) return bad_argument("list was given no client or no callback");
    return guarded([&] {
        return finish(client->manager->list(filter ? filter : ""),
                      [&](const std::vector<RegionInfo>& regions) {
                          for (const auto& region : regions) {
                              const auto info = to_c(region);
                              if (!callback(&info, context)) return;
                          }
                      });
    });
}

snakepit_shm_status snakepit_shm_cleanup(snakepit_shm_client* client,
                                         const snakepit_shm_cleanup_options* options,
                                         snakepit_shm_cleanup_result* out) {
    if (!client) return bad_argument("cleanup was given no client");
    return guarded([&] {
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
        return finish(client->manager->cleanup(request), [&](const CleanupResult& result) {
            if (out) *out = {result.removed, result.bytes_freed};
        });
    });
}

snakepit_shm_status snakepit_shm_lock(snakepit_shm_client* client, const char* id,
                                      snakepit_shm_access mode, uint32_t timeout_ms,
                                      uint64_t* token) {
    if (!client || !id || !token)
        return bad_argument("lock was given no client, no id or no place for the token");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        const auto alone =
            mode == SNAKEPIT_SHM_READ_WRITE ? AccessMode::read_write : AccessMode::read_only;
        return finish(
            client->manager->lock(*region, alone, timeout_ms), [&](const LockGrant& granted) {
                *token = granted.token | (granted.suspect ? SNAKEPIT_SHM_TOKEN_SUSPECT : 0);
            });
    });
}

snakepit_shm_status snakepit_shm_unlock(snakepit_shm_client* client, const char* id,
                                        uint64_t token) {
    if (!client || !id) return bad_argument("unlock was given no client or no id");
    return guarded([&] {
        const auto region = RegionId::parse(id);
        if (!region) return failed(region.error());
        const auto given = client->manager->unlock(*region, token & ~SNAKEPIT_SHM_TOKEN_SUSPECT);
        return given ? SNAKEPIT_SHM_OK : failed(given.error());
    });
}

snakepit_shm_status snakepit_shm_announce(snakepit_shm_client* client, const char* worker,
                                          const char* pool, const char* session) {
    if (!client) return bad_argument("announce was given no client");
    return guarded([&] {
        const auto named = client->manager->announce(worker ? worker : "", pool ? pool : "",
                                                     session ? session : "");
        return named ? SNAKEPIT_SHM_OK : failed(named.error());
    });
}

uint64_t snakepit_shm_round_trips(const snakepit_shm_client* client) {
    return client ? client->manager->round_trips() : 0;
}

const char* snakepit_shm_last_error(void) {
    return last_error.c_str();
}

const char* snakepit_shm_status_name(snakepit_shm_status status) {
    return status == SNAKEPIT_SHM_OK ? "ok" : to_string(static_cast<ErrorCode>(status)).data();
}

}  // extern "C"
