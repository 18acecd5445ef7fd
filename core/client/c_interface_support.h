// SPDX-License-Identifier: MIT
// What the parts of the C interface share: errors per thread, clients and regions by handle and id,
// and conversions. Included by c_interface*.cpp alone.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/region_name.h"
#include "base/time.h"
#include "client/client_table.h"
#include "client/manager_client.h"
#include "snakepit/shm/snakepit_shm.h"

namespace snakepit::shm {

// In a mapping's last reserved word.
inline constexpr std::uint64_t kTellRelease = 1, kAudited = 2, kTimed = 4;

// Not in the path of a call that succeeds: a string of a thread has to be made first.
inline thread_local std::string last_error;
inline thread_local constinit bool has_last_error = false;

inline void set_last_error(std::string_view sentence) {
    last_error = sentence;  // keeps its memory
    has_last_error = true;
}
inline void clear_last_error() {
    if (has_last_error) has_last_error = false;
}

inline snakepit_shm_status failed(const Error& error) {
    set_last_error(error.sentence());
    return static_cast<snakepit_shm_status>(error.code);
}

inline snakepit_shm_status bad_argument(const char* what) {
    return failed(make_error(ErrorCode::invalid_argument, what, "see snakepit/shm/snakepit_shm.h"));
}

// No exception crosses the C interface; the only possible one is std::bad_alloc.
template <typename F>
snakepit_shm_status guarded(F&& body) {
    try {
        clear_last_error();
        return body();
    } catch (const std::exception& error) {
        return failed(
            make_error(ErrorCode::platform_error, error.what(), "free memory and try again"));
    }
}

// The same for a client, which is not freed meanwhile.
enum class With : std::uint8_t { open_client, closed_client_too };
template <typename F>
snakepit_shm_status in_client(const snakepit_shm_client* client, F&& body,
                              With with = With::open_client) {
    return guarded([&] {
        const ClientCall call(client, with == With::closed_client_too);
        return call ? body(*call) : failed(call.error());
    });
}

// For a region by its name. The region that has it may end between the two requests, and another
// get the name: then that one is meant. A call that waited, for a lock, is not repeated.
template <typename F>
snakepit_shm_status on_named(ManagerClient& manager, const char* name, F&& body) {
    constexpr int kAttempts = 4;
    constexpr std::int64_t kNoWait = 100'000'000;  // nanoseconds
    const auto began = monotonic_nanos();
    auto region = manager.resolve(name);
    for (int attempt = 1; region; ++attempt) {
        const auto done = body(manager, *region);
        if (done != SNAKEPIT_SHM_REGION_NOT_FOUND || attempt == kAttempts ||
            monotonic_nanos() - began > kNoWait)
            return done;
        const auto next = manager.resolve(name);
        if (next && *next == *region) return done;
        region = next;
        clear_last_error();
    }
    return failed(region.error());
}

// The same for one region of it, by its id or its name.
template <typename F>
snakepit_shm_status on_region(const snakepit_shm_client* client, const char* id, F&& body,
                              With with = With::open_client) {
    return in_client(
        client,
        [&](ManagerClient& manager) {
            if (const auto region = RegionId::parse(id)) return body(manager, *region);
            return on_named(manager, id, body);
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

inline RegionOptions from_c(const snakepit_shm_options& c) {
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
    if (c.name) options.name = c.name;
    options.owner_end = static_cast<OwnerEnd>(c.owner_end);
    options.audit_access = c.audit_access;
    options.owned_by_user = c.owned_by_user;
    options.durable = c.durable;
    options.exact_permissions = c.exact_permissions;
    return options;
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

// A mapping in its C form. The library's four reserved words: the slot, its generation, and the
// requested access and attributes of the region.
inline snakepit_shm_mapping to_c(const MappedRegion& mapped) {
    const auto kind = static_cast<uint64_t>(mapped.access) | static_cast<uint64_t>(mapped.level)
                                                                 << 8;
    return {mapped.data,
            mapped.size,
            {mapped.slot, mapped.generation, kind,
             (mapped.tell_release ? kTellRelease : 0) | (mapped.audited ? kAudited : 0) |
                 (mapped.timed ? kTimed : 0)}};
}
inline MappedRegion from_c(const snakepit_shm_mapping& mapping) {
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

inline AccessMode mode_of(snakepit_shm_access access) {
    return access == SNAKEPIT_SHM_READ_WRITE ? AccessMode::read_write : AccessMode::read_only;
}

inline std::uint64_t to_c(const LockGrant& granted) {
    return granted.token | (granted.inconsistent ? SNAKEPIT_SHM_TOKEN_INCONSISTENT : 0);
}

// c_interface_regions.cpp
snakepit_shm_region_info to_c(const RegionInfo& info);

inline void to_c(const RegionId& region, char id[SNAKEPIT_SHM_ID_SIZE]) {
    const auto text = region.str();
    std::memcpy(id, text.c_str(), text.size() + 1);
}

inline snakepit_shm_status finish(const Status& status) {
    return status ? SNAKEPIT_SHM_OK : failed(status.error());
}

}  // namespace snakepit::shm
