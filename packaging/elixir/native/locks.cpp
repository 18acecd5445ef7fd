// SPDX-License-Identifier: MIT
// Locks of Elixir processes, waiting for notifications, and the events of both.
#include "reaper.h"
#include "terms.h"

namespace snakepit::elixir {

namespace {

Term granted(ErlNifEnv* env, std::uint64_t token) {
    const bool inconsistent = (token & SNAKEPIT_SHM_TOKEN_INCONSISTENT) != 0;
    return enif_make_tuple2(env, atom(env, "granted"), atom(env, inconsistent ? "true" : "false"));
}

// What an event says to the one who waits; ends the watch unless it is a lock that was granted.
Term outcome(ErlNifEnv* env, Watch* watch, const snakepit_shm_event& event) {
    if (event.token) return granted(env, event.token);
    const auto term = event.status == SNAKEPIT_SHM_OK ? ok(env, number(env, event.now))
                                                      : error(env, event.status);
    watch->session->end(watch);
    return term;
}

// Ends what belongs to a process that has ended meanwhile.
bool watch_process(ErlNifEnv* env, Watch* watch) {
    if (watch->session->add(watch) &&
        enif_monitor_process(env, watch, &watch->process, nullptr) == 0)
        return true;
    watch->session->end(watch);  // a lock is released in the background
    return false;
}

Term ended(ErlNifEnv* env) {
    return error(env, "client_closed", "invalid_argument",
                 "the client was closed, or the calling process has ended");
}

// {:waiting, watch}: a message {tag, outcome} follows. {:done, watch, outcome}: it came already.
Term wait_for(ErlNifEnv* env, Watch* watch, std::uint64_t ticket) {
    bool over = false;
    if (!watch_process(env, watch)) {
        watch->session->abandon(ticket);
        return ended(env);
    }
    const auto event = watch->session->await(watch, ticket, over);
    if (over) return ended(env);
    const auto handle = enif_make_resource(env, watch);
    if (!event) return enif_make_tuple2(env, atom(env, "waiting"), handle);
    return enif_make_tuple3(env, atom(env, "done"), handle, outcome(env, watch, *event));
}

// lock(client, id, write, tag, queue): {:done, lock, {:granted, inconsistent} or an error},
// {:waiting, lock}, or an error
Term lock(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::string text;
    bool write = false, queue = false;
    if (!resource_of(env, arguments[0], client_type, client) || !text_of(env, arguments[1], text) ||
        !boolean_of(env, arguments[2], write) || !boolean_of(env, arguments[4], queue))
        return enif_make_badarg(env);
    const auto session = client->session;
    ErlNifPid self;
    enif_self(env, &self);
    char id[SNAKEPIT_SHM_ID_SIZE];
    auto status = snakepit_shm_resolve(session->handle(), text.c_str(), id);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    // The process could become a writer beside itself as a reader.
    if (write && session->has_views(self, id))
        return error(env, "views_exist", "permission_denied",
                     "binaries that this process made under its read lock show the region: release "
                     "the lock, which then ends with the last of them");
    const auto owner = session->owner_of(self);
    const auto mode = write ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY;
    // First without a place in the queue: that needs no request to the manager while no other
    // process wants the lock.
    std::uint64_t token = 0, ticket = 0;
    status = snakepit_shm_lock_as(session->handle(), id, mode, 0, owner, &token);
    if (status == SNAKEPIT_SHM_TIMEOUT && queue)
        status = snakepit_shm_lock_begin(session->handle(), id, mode, owner, &ticket);
    if (status != SNAKEPIT_SHM_OK) {
        const auto term = error(env, status);
        session->drop_owner(self);
        return term;
    }
    auto* const watch = make_resource<Watch>(watch_type, session, WatchKind::lock, id, self);
    watch->write = write;
    watch->tag = enif_make_copy(watch->env, arguments[3]);
    Term term = 0;
    if (!token) {
        term = wait_for(env, watch, ticket);
    } else {
        watch->hold = std::make_shared<Hold>(session, id, token);
        term = watch_process(env, watch)
                   ? enif_make_tuple3(env, atom(env, "done"), enif_make_resource(env, watch),
                                      granted(env, token))
                   : ended(env);
    }
    enif_release_resource(watch);
    return term;
}

// unlock(lock): :ok, {:deferred, views} when binaries were made under it, or an error
Term unlock(ErlNifEnv* env, int, const Term arguments[]) {
    Watch* watch = nullptr;
    if (!resource_of(env, arguments[0], watch_type, watch)) return enif_make_badarg(env);
    const auto [first, hold] = watch->session->end(watch);
    if (!first) return error(env, "not_held", "not_held", "the lock was released before");
    if (hold && hold.use_count() > 1)
        return enif_make_tuple2(env, atom(env, "deferred"),
                                enif_make_int(env, static_cast<int>(hold.use_count() - 1)));
    return hold ? result(env, hold->release()) : atom(env, "ok");
}

// cancel(watch): ends a wait; a lock that was granted meanwhile is released
Term cancel(ErlNifEnv* env, int, const Term arguments[]) {
    Watch* watch = nullptr;
    if (!resource_of(env, arguments[0], watch_type, watch)) return enif_make_badarg(env);
    watch->session->end(watch);
    return atom(env, "ok");
}

Term notify(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::string id;
    if (!resource_of(env, arguments[0], client_type, client) || !text_of(env, arguments[1], id))
        return enif_make_badarg(env);
    return result(env, snakepit_shm_notify(client->session->handle(), id.c_str()));
}

// counter(client, id, since): {:ok, counter}, or :unchanged
Term counter(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::string id;
    std::uint64_t since = 0, now = 0;
    if (!resource_of(env, arguments[0], client_type, client) || !text_of(env, arguments[1], id) ||
        !number_of(env, arguments[2], since))
        return enif_make_badarg(env);
    const auto status = snakepit_shm_wait(client->session->handle(), id.c_str(), since, 0, &now);
    if (status == SNAKEPIT_SHM_TIMEOUT) return atom(env, "unchanged");
    return status == SNAKEPIT_SHM_OK ? ok(env, number(env, now)) : error(env, status);
}

// wait(client, id, since, tag): {:waiting, watch}, {:done, watch, outcome}, or an error
Term wait(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::string id;
    std::uint64_t since = 0, ticket = 0;
    if (!resource_of(env, arguments[0], client_type, client) || !text_of(env, arguments[1], id) ||
        !number_of(env, arguments[2], since))
        return enif_make_badarg(env);
    const auto session = client->session;
    const auto status = snakepit_shm_wait_begin(session->handle(), id.c_str(), since, &ticket);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    return wait_with_tag(env, session, id, ticket, arguments[3]);
}

// take_events(client): sends {tag, outcome} to each process whose wait has ended
Term take_events(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    if (!resource_of(env, arguments[0], client_type, client)) return enif_make_badarg(env);
    const auto session = client->session;
    while (true) {
        snakepit_shm_event event{};
        event.struct_size = sizeof event;
        const auto status = snakepit_shm_next_event(session->handle(), &event);
        if (status == SNAKEPIT_SHM_NO_EVENT || status == SNAKEPIT_SHM_NO_MANAGER)
            return atom(env, "ok");
        if (status != SNAKEPIT_SHM_OK) return error(env, status);
        auto* const watch = session->arrived(event);
        if (!watch) continue;
        auto* const message = enif_alloc_env();
        const auto term = enif_make_tuple2(message, enif_make_copy(message, watch->tag),
                                           outcome(message, watch, event));
        enif_send(env, &watch->process, message, term);
        enif_free_env(message);
        enif_release_resource(watch);
    }
}

}  // namespace

Term wait_with_tag(ErlNifEnv* env, const std::shared_ptr<Session>& session, const std::string& id,
                   std::uint64_t ticket, Term tag) {
    ErlNifPid self;
    enif_self(env, &self);
    auto* const watch = make_resource<Watch>(watch_type, session, WatchKind::signal, id, self);
    watch->tag = enif_make_copy(watch->env, tag);
    const auto term = wait_for(env, watch, ticket);
    enif_release_resource(watch);
    return term;
}

const ErlNifFunc lock_functions[] = {
    {"lock", 5, lock, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"unlock", 1, unlock, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"cancel", 1, cancel, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"notify", 2, notify, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"counter", 3, counter, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"wait", 4, wait, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"take_events", 1, take_events, ERL_NIF_DIRTY_JOB_IO_BOUND},
};
const unsigned lock_function_count = sizeof lock_functions / sizeof *lock_functions;

}  // namespace snakepit::elixir
