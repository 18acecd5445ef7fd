// SPDX-License-Identifier: MIT
#include "terms.h"

#include <cstring>
#include <vector>

namespace snakepit::elixir {

namespace {

constexpr const char* kSecurity[] = {"standard", "high", "maximum"};
constexpr const char* kCleanup[] = {"automatic", "manual", "reference_counted"};
constexpr const char* kAccess[] = {"read_only", "read_write"};
constexpr const char* kPermission[] = {"none", "read_only", "read_write"};
constexpr const char* kPlacement[] = {"automatic", "pooled", "dedicated"};
constexpr const char* kOwnerEnd[] = {"default", "keep", "grace", "withdraw"};

template <std::size_t N>
Term choice(ErlNifEnv* env, const char* const (&names)[N], int value) {
    return value >= 0 && static_cast<std::size_t>(value) < N ? atom(env, names[value])
                                                             : enif_make_int(env, value);
}

template <std::size_t N, typename Enum>
bool choice_of(ErlNifEnv* env, Term term, const char* const (&names)[N], Enum& out) {
    char text[32];
    if (enif_get_atom(env, term, text, sizeof text, ERL_NIF_LATIN1) == 0) return false;
    for (std::size_t i = 0; i < N; ++i) {
        if (std::strcmp(text, names[i]) != 0) continue;
        out = static_cast<Enum>(i);
        return true;
    }
    return false;
}

bool is_nil(ErlNifEnv* env, Term term) {
    return enif_is_identical(term, atom(env, "nil")) != 0;
}

}  // namespace

Term hand_over(ErlNifEnv* env, void* resource) {
    const auto term = enif_make_resource(env, resource);
    enif_release_resource(resource);
    return term;
}

// ---------------------------------------------------------------------------- arguments

bool text_of(ErlNifEnv* env, Term term, std::string& out) {
    ErlNifBinary bytes;
    if (!enif_inspect_binary(env, term, &bytes) || bytes.size > 65'536) return false;
    out.assign(reinterpret_cast<const char*>(bytes.data), bytes.size);
    return out.find('\0') == std::string::npos;
}

bool optional_text_of(ErlNifEnv* env, Term term, std::optional<std::string>& out) {
    out.reset();
    if (is_nil(env, term)) return true;
    std::string text;
    if (!text_of(env, term, text)) return false;
    out = std::move(text);
    return true;
}

bool number_of(ErlNifEnv* env, Term term, std::uint64_t& out) {
    ErlNifUInt64 value = 0;
    if (!enif_get_uint64(env, term, &value)) return false;
    out = value;
    return true;
}

bool boolean_of(ErlNifEnv* env, Term term, bool& out) {
    out = enif_is_identical(term, atom(env, "true")) != 0;
    return out || enif_is_identical(term, atom(env, "false")) != 0;
}

// As SnakepitShm.Options.to_native/1 makes it.
bool options_of(ErlNifEnv* env, Term term, snakepit_shm_options& out,
                std::optional<std::string>& name, std::optional<std::string>& metadata) {
    out = snakepit_shm_options SNAKEPIT_SHM_OPTIONS_INIT;
    int count = 0;
    const Term* parts = nullptr;
    ErlNifSInt64 timeout = 0;
    if (!enif_get_tuple(env, term, &count, &parts) || count != 15 ||
        !enif_get_int64(env, parts[0], &timeout))
        return false;
    out.timeout_ms = timeout;
    if (!is_nil(env, parts[1]) && !choice_of(env, parts[1], kSecurity, out.security_level))
        return false;
    if (!choice_of(env, parts[2], kAccess, out.access_mode) ||
        !choice_of(env, parts[3], kCleanup, out.cleanup_policy) ||
        !choice_of(env, parts[4], kPlacement, out.placement) ||
        !choice_of(env, parts[5], kPermission, out.owner) ||
        !choice_of(env, parts[6], kPermission, out.group) ||
        !choice_of(env, parts[7], kPermission, out.other) ||
        !optional_text_of(env, parts[8], metadata) ||
        !boolean_of(env, parts[9], out.owned_by_user) || !boolean_of(env, parts[10], out.durable) ||
        !boolean_of(env, parts[11], out.exact_permissions) ||
        !optional_text_of(env, parts[12], name) ||
        !choice_of(env, parts[13], kOwnerEnd, out.owner_end) ||
        !boolean_of(env, parts[14], out.audit_access))
        return false;
    out.metadata = c_text(metadata);
    out.name = c_text(name);
    return true;
}

// ------------------------------------------------------------------------------ results

Term atom(ErlNifEnv* env, const char* name) {
    return enif_make_atom(env, name);
}

Term binary(ErlNifEnv* env, const std::string& text) {
    Term term = 0;
    auto* const bytes = enif_make_new_binary(env, text.size(), &term);
    std::memcpy(bytes, text.data(), text.size());
    return term;
}

Term number(ErlNifEnv* env, std::uint64_t value) {
    return enif_make_uint64(env, value);
}

Term ok(ErlNifEnv* env, Term value) {
    return enif_make_tuple2(env, atom(env, "ok"), value);
}

Term error(ErlNifEnv* env, const char* code, const char* type, const char* sentence) {
    return enif_make_tuple4(env, atom(env, "error"), atom(env, code), atom(env, type),
                            binary(env, sentence));
}

Term error(ErlNifEnv* env, snakepit_shm_status status) {
    return error(env, snakepit_shm_status_name(status), snakepit_shm_status_type(status),
                 snakepit_shm_last_error());
}

Term closed(ErlNifEnv* env) {
    return error(env, "closed", "invalid_argument",
                 "the region's handle was closed, or the process that mapped it has ended: map the "
                 "region in this process");
}

Term result(ErlNifEnv* env, snakepit_shm_status status) {
    return status == SNAKEPIT_SHM_OK ? atom(env, "ok") : error(env, status);
}

Term map_of(ErlNifEnv* env, std::initializer_list<std::pair<const char*, Term>> entries) {
    auto map = enif_make_new_map(env);
    for (const auto& [name, value] : entries)
        enif_make_map_put(env, map, atom(env, name), value, &map);
    return map;
}

Term info_map(ErlNifEnv* env, const snakepit_shm_region_info& info) {
    const auto boolean = [env](bool value) { return atom(env, value ? "true" : "false"); };
    std::vector<Term> holders;
    for (const auto pid : info.holder_pids)
        if (pid != 0) holders.push_back(enif_make_int64(env, pid));
    return map_of(
        env, {{"id", binary(env, info.id)},
              {"size", number(env, info.size)},
              {"actual_size", number(env, info.actual_size)},
              {"created_at", enif_make_int64(env, info.created_at)},
              {"last_accessed", enif_make_int64(env, info.last_accessed)},
              {"access_count", number(env, info.access_count)},
              {"reference_count", number(env, info.reference_count)},
              {"owner_pid", enif_make_int64(env, info.owner_pid)},
              {"owner_uid", number(env, info.owner_uid)},
              {"security_level", choice(env, kSecurity, info.security_level)},
              {"cleanup_policy", choice(env, kCleanup, info.cleanup_policy)},
              {"access_mode", choice(env, kAccess, info.access_mode)},
              {"timeout_ms", enif_make_int64(env, info.timeout_ms)},
              {"state", binary(env, info.state)},
              {"name", info.name[0] ? binary(env, info.name) : atom(env, "nil")},
              {"metadata", binary(env, info.metadata)},
              {"session", binary(env, info.session)},
              {"worker", binary(env, info.worker)},
              {"owner_process", binary(env, info.owner_process)},
              {"owner", choice(env, kPermission, info.owner)},
              {"group", choice(env, kPermission, info.group)},
              {"other", choice(env, kPermission, info.other)},
              {"placement", choice(env, kPlacement, info.placement)},
              {"owner_end", choice(env, kOwnerEnd, info.owner_end)},
              {"sealed", boolean(info.sealed)},
              {"durable", boolean(info.durable)},
              {"audit_access", boolean(info.audit_access)},
              {"inconsistent", boolean(info.inconsistent)},
              {"has_policy", boolean(info.has_policy)},
              {"policy_in_effect", boolean(info.policy_in_effect)},
              {"quarantined_until", enif_make_int64(env, info.quarantined_until)},
              {"holder_count", number(env, info.holder_count)},
              {"holder_pids", enif_make_list_from_array(env, holders.data(),
                                                        static_cast<unsigned>(holders.size()))}});
}

}  // namespace snakepit::elixir
