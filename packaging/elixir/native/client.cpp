// SPDX-License-Identifier: MIT
// Clients: connecting, what concerns regions by their id, events.
#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "reaper.h"
#include "terms.h"

namespace snakepit::elixir {

namespace {

// The session of the first argument and the text of the second.
struct Target {
    std::shared_ptr<Session> session;
    std::string id;

    bool read(ErlNifEnv* env, const Term arguments[]) {
        ClientResource* client = nullptr;
        if (!resource_of(env, arguments[0], client_type, client)) return false;
        session = client->session;
        return text_of(env, arguments[1], id);
    }
};

// connect(instance or nil, milliseconds): the calling process owns the client.
Term connect(ErlNifEnv* env, int, const Term arguments[]) {
    std::optional<std::string> instance;
    unsigned wait = 0;
    if (!optional_text_of(env, arguments[0], instance) || !enif_get_uint(env, arguments[1], &wait))
        return enif_make_badarg(env);
    snakepit_shm_client* handle = nullptr;
    const auto status = snakepit_shm_connect_within(c_text(instance), wait, &handle);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    auto* const client = make_resource<ClientResource>(client_type);
    client->session = std::make_shared<Session>(handle);
    ErlNifPid owner;
    enif_self(env, &owner);
    // The owner may have been killed meanwhile; then nothing else would close the client.
    if (enif_monitor_process(env, client, &owner, nullptr) != 0) client->session->close();
    return ok(env, hand_over(env, client));
}

Term close(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    if (!resource_of(env, arguments[0], client_type, client)) return enif_make_badarg(env);
    stop_selecting(env, client);
    client->session->close();
    return atom(env, "ok");
}

// select(client): the calling process gets one message when there are events.
Term select(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    if (!resource_of(env, arguments[0], client_type, client)) return enif_make_badarg(env);
    const std::lock_guard held(client->mutex);
    if (client->descriptor < 0) {
        const int descriptor = snakepit_shm_event_fd(client->session->handle());
        // A duplicate, because the virtual machine may use it until after the client has ended.
        if (descriptor >= 0) client->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
        if (client->descriptor < 0)
            return error(env, "platform_error", "platform_error", snakepit_shm_last_error());
    }
    if (!client->stopped)
        enif_select(env, client->descriptor, ERL_NIF_SELECT_READ, client, nullptr,
                    atom(env, "undefined"));
    return atom(env, "ok");
}

Term allocate(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::uint64_t size = 0;
    snakepit_shm_options options;
    std::optional<std::string> name, metadata;
    bool watched = false;
    if (!resource_of(env, arguments[0], client_type, client) ||
        !number_of(env, arguments[1], size) ||
        !options_of(env, arguments[2], options, name, metadata) ||
        !boolean_of(env, arguments[3], watched))
        return enif_make_badarg(env);
    const auto session = client->session;
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = snakepit_shm_allocate(session->handle(), size, &options, id);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    if (watched) {
        ErlNifPid self;
        enif_self(env, &self);
        auto* const watch =
            make_resource<Watch>(watch_type, session, WatchKind::allocation, id, self);
        if (!session->add(watch) || enif_monitor_process(env, watch, &self, nullptr) != 0) {
            session->end(watch);
            session->deallocate(id);
        }
        enif_release_resource(watch);
    }
    return ok(env, binary(env, id));
}

Term deallocate(ErlNifEnv* env, int, const Term arguments[]) {
    Target target;
    if (!target.read(env, arguments)) return enif_make_badarg(env);
    char id[SNAKEPIT_SHM_ID_SIZE];
    auto* const handle = target.session->handle();
    auto status = snakepit_shm_resolve(handle, target.id.c_str(), id);
    if (status == SNAKEPIT_SHM_OK) status = snakepit_shm_deallocate(handle, id);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    target.session->forget_allocation(id);
    return atom(env, "ok");
}

Term seal(ErlNifEnv* env, int, const Term arguments[]) {
    Target target;
    if (!target.read(env, arguments)) return enif_make_badarg(env);
    return result(env, snakepit_shm_seal(target.session->handle(), target.id.c_str()));
}

Term rotate_key(ErlNifEnv* env, int, const Term arguments[]) {
    Target target;
    if (!target.read(env, arguments)) return enif_make_badarg(env);
    return result(env, snakepit_shm_rotate_key(target.session->handle(), target.id.c_str()));
}

Term resolve(ErlNifEnv* env, int, const Term arguments[]) {
    Target target;
    if (!target.read(env, arguments)) return enif_make_badarg(env);
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = snakepit_shm_resolve(target.session->handle(), target.id.c_str(), id);
    return status == SNAKEPIT_SHM_OK ? ok(env, binary(env, id)) : error(env, status);
}

Term info(ErlNifEnv* env, int, const Term arguments[]) {
    Target target;
    if (!target.read(env, arguments)) return enif_make_badarg(env);
    snakepit_shm_region_info found{};
    found.struct_size = sizeof found;
    const auto status = snakepit_shm_info(target.session->handle(), target.id.c_str(), &found);
    return status == SNAKEPIT_SHM_OK ? ok(env, info_map(env, found)) : error(env, status);
}

struct Listing {
    ErlNifEnv* env;
    std::vector<Term> regions;
};

Term list(ErlNifEnv* env, int, const Term arguments[]) {
    Target target;
    if (!target.read(env, arguments)) return enif_make_badarg(env);
    Listing listing{env, {}};
    const auto take = [](const snakepit_shm_region_info* region, void* context) {
        auto& to = *static_cast<Listing*>(context);
        to.regions.push_back(info_map(to.env, *region));
        return true;
    };
    const auto status =
        snakepit_shm_list(target.session->handle(), target.id.c_str(), take, &listing);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    return ok(env, enif_make_list_from_array(env, listing.regions.data(),
                                             static_cast<unsigned>(listing.regions.size())));
}

// cleanup(client, {dry_run, orphans, expired, all_eligible, no_quarantine, session, worker})
Term cleanup(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    int count = 0;
    const Term* parts = nullptr;
    snakepit_shm_cleanup_options options{};
    options.struct_size = sizeof options;
    std::optional<std::string> session, worker;
    if (!resource_of(env, arguments[0], client_type, client) ||
        !enif_get_tuple(env, arguments[1], &count, &parts) || count != 7 ||
        !boolean_of(env, parts[0], options.dry_run) ||
        !boolean_of(env, parts[1], options.orphans) ||
        !boolean_of(env, parts[2], options.expired) ||
        !boolean_of(env, parts[3], options.all_eligible) ||
        !boolean_of(env, parts[4], options.no_quarantine) ||
        !optional_text_of(env, parts[5], session) || !optional_text_of(env, parts[6], worker))
        return enif_make_badarg(env);
    options.session = c_text(session);
    options.worker = c_text(worker);
    snakepit_shm_cleanup_result done{};
    const auto status = snakepit_shm_cleanup(client->session->handle(), &options, &done);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    return ok(env, map_of(env, {{"removed", number(env, done.removed)},
                                {"bytes_freed", number(env, done.bytes_freed)}}));
}

Term announce(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::optional<std::string> worker, pool, session;
    if (!resource_of(env, arguments[0], client_type, client) ||
        !optional_text_of(env, arguments[1], worker) ||
        !optional_text_of(env, arguments[2], pool) || !optional_text_of(env, arguments[3], session))
        return enif_make_badarg(env);
    return result(env, snakepit_shm_announce(client->session->handle(), c_text(worker),
                                             c_text(pool), c_text(session)));
}

Term stats(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    if (!resource_of(env, arguments[0], client_type, client)) return enif_make_badarg(env);
    const auto counts = client->session->counts();
    return map_of(
        env, {{"mappings", number(env, counts.leases)},
              {"views", number(env, counts.views)},
              {"locks", number(env, counts.locks)},
              {"waits", number(env, counts.waits)},
              {"allocations", number(env, counts.allocations)},
              {"round_trips", number(env, snakepit_shm_round_trips(client->session->handle()))}});
}

Term version(ErlNifEnv* env, int, const Term[]) {
    return binary(env, snakepit_shm_version());
}

// Each code, with its type.
Term codes(ErlNifEnv* env, int, const Term[]) {
    std::vector<Term> known;
    for (int status = 1; status < 200; ++status) {
        const auto of = static_cast<snakepit_shm_status>(status);
        const std::string name = snakepit_shm_status_name(of);
        if (name != "unknown")
            known.push_back(enif_make_tuple2(env, atom(env, name.c_str()),
                                             atom(env, snakepit_shm_status_type(of))));
    }
    return enif_make_list_from_array(env, known.data(), static_cast<unsigned>(known.size()));
}

}  // namespace

void stop_selecting(ErlNifEnv* env, ClientResource* client) {
    const std::lock_guard held(client->mutex);
    if (std::exchange(client->stopped, true) || client->descriptor < 0) return;
    enif_select(env, client->descriptor, ERL_NIF_SELECT_STOP, client, nullptr,
                atom(env, "undefined"));
}

const ErlNifFunc client_functions[] = {
    {"connect", 2, connect, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"close", 1, close, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"select", 1, select, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"allocate", 4, allocate, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"deallocate", 2, deallocate, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"seal", 2, seal, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"rotate_key", 2, rotate_key, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"resolve", 2, resolve, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"info", 2, info, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"list", 2, list, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"cleanup", 2, cleanup, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"announce", 4, announce, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"stats", 1, stats, 0},
    {"version", 0, version, 0},
    {"codes", 0, codes, 0},
};
const unsigned client_function_count = sizeof client_functions / sizeof *client_functions;

}  // namespace snakepit::elixir
