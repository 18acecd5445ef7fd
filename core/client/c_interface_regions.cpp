// SPDX-License-Identifier: MIT
// The C interface: regions by name, and what is known of a region.
#include "client/c_interface_support.h"

using namespace snakepit::shm;

namespace {

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view text) {
    text.copy(to, N - 1);  // what follows is zero
}

}  // namespace

snakepit_shm_region_info snakepit::shm::to_c(const RegionInfo& info) {
    static_assert(SNAKEPIT_SHM_NAME_SIZE > kMaxRegionNameBytes);
    static_assert(SNAKEPIT_SHM_METADATA_SIZE > kMaxMetadataBytes);
    snakepit_shm_region_info out{};
    out.struct_size = sizeof out;
    copy_text(out.id, info.id.str());
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
    copy_text(out.state, to_string(info.state));
    copy_text(out.name, info.name);
    copy_text(out.metadata, info.metadata);
    copy_text(out.session, info.session);
    copy_text(out.worker, info.worker);
    copy_text(out.owner_process, info.owner_process);
    out.owner = static_cast<snakepit_shm_permission>(info.permissions.owner);
    out.group = static_cast<snakepit_shm_permission>(info.permissions.group);
    out.other = static_cast<snakepit_shm_permission>(info.permissions.other);
    out.placement = static_cast<snakepit_shm_placement>(info.placement);
    out.owner_end = static_cast<snakepit_shm_owner_end>(info.owner_end);
    out.sealed = info.sealed;
    out.durable = info.durable;
    out.audit_access = info.audit_access;
    out.inconsistent = info.inconsistent;
    out.has_policy = info.has_policy;
    out.policy_in_effect = info.policy_in_effect;
    out.quarantined_until = info.quarantined_until.micros;
    out.holder_count = info.holder_count;
    std::size_t named = 0;
    for (const auto& holder : info.references)
        if (holder.count > 0 && named < SNAKEPIT_SHM_NAMED_HOLDERS)
            out.holder_pids[named++] = holder.pid;
    return out;
}

extern "C" {

snakepit_shm_status snakepit_shm_resolve(snakepit_shm_client* client, const char* name,
                                         char id[SNAKEPIT_SHM_ID_SIZE]) {
    if (!client || !name || !id)
        return bad_argument("resolve requires a client, a name and a buffer for the id");
    return in_client(client, [&](ManagerClient& manager) {
        return finish(manager.resolve(name), [&](const RegionId& region) { to_c(region, id); });
    });
}

snakepit_shm_status snakepit_shm_info(snakepit_shm_client* client, const char* id,
                                      snakepit_shm_region_info* out) {
    if (!client || !id || !out || out->struct_size < sizeof out->struct_size)
        return bad_argument("info requires a client, an id and a struct_size");
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return finish(manager.info(region),
                      [&](const RegionInfo& info) { copy_sized(out, to_c(info)); });
    });
}

snakepit_shm_status snakepit_shm_open(snakepit_shm_client* client, const char* name, uint64_t size,
                                      const snakepit_shm_options* options,
                                      snakepit_shm_access access, snakepit_shm_mapping* out,
                                      bool* created) {
    if (!client || !name || !out)
        return bad_argument("open requires a client, a name and a pointer for the mapping");
    return in_client(client, [&](ManagerClient& manager) {
        auto chosen = read_sized(options, snakepit_shm_options SNAKEPIT_SHM_OPTIONS_INIT);
        chosen.name = name;
        if (const auto checked = check_region_name(name); !checked) return failed(checked.error());
        return finish(manager.open(name, size, from_c(chosen), mode_of(access)),
                      [&](const OpenedRegion& opened) {
                          *out = to_c(opened.mapping);
                          if (created) *created = opened.created;
                      });
    });
}

snakepit_shm_status snakepit_shm_mapping_id(snakepit_shm_client* client,
                                            const snakepit_shm_mapping* mapping,
                                            char id[SNAKEPIT_SHM_ID_SIZE]) {
    if (!client || !mapping || !id)
        return bad_argument("mapping_id requires a client, a mapping and a buffer for the id");
    return in_client(client, [&](ManagerClient& manager) {
        return finish(manager.region_of(from_c(*mapping)),
                      [&](const RegionId& region) { to_c(region, id); });
    });
}

}  // extern "C"
