// SPDX-License-Identifier: MIT
// Terms: arguments, results, errors.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "session.h"

namespace snakepit::elixir {

using Term = ERL_NIF_TERM;
using Nif = Term (*)(ErlNifEnv*, int, const Term[]);

// Resources of the module. Each has its C++ part as a member, so that the rest may be moved out.
struct ClientResource {
    std::shared_ptr<Session> session;
    std::mutex mutex;     // guards the following
    int descriptor = -1;  // a duplicate of the client's event descriptor
    bool stopped = false;
};
struct RegionResource {
    std::mutex mutex;
    std::shared_ptr<Lease> lease;  // null: closed

    std::shared_ptr<Lease> get() {
        const std::lock_guard held(mutex);
        return lease;
    }
    std::shared_ptr<Lease> take() {
        const std::lock_guard held(mutex);
        return std::move(lease);
    }
};
struct ViewResource {
    ViewResource(std::shared_ptr<Lease> shown, std::shared_ptr<Hold> under)
        : lease(std::move(shown)), hold(std::move(under)) {
        ++lease->views;
        ++lease->session->views;
    }
    ~ViewResource() {
        --lease->session->views;
        --lease->views;
    }
    std::shared_ptr<Lease> lease;
    std::shared_ptr<Hold> hold;  // null: not made under a lock
};

extern ErlNifResourceType* client_type;
extern ErlNifResourceType* region_type;
extern ErlNifResourceType* view_type;
extern ErlNifResourceType* watch_type;
extern ErlNifResourceType* ring_type;
void destroy_ring(ErlNifEnv* env, void* resource);
void ring_owner_down(ErlNifEnv* env, void* resource, ErlNifPid* owner, ErlNifMonitor* monitor);

template <typename Resource, typename... Arguments>
Resource* make_resource(ErlNifResourceType* type, Arguments&&... arguments) {
    return new (enif_alloc_resource(type, sizeof(Resource)))
        Resource(std::forward<Arguments>(arguments)...);
}
// The term of a new resource, which lives as long as the term.
Term hand_over(ErlNifEnv* env, void* resource);

template <typename Resource>
bool resource_of(ErlNifEnv* env, Term term, ErlNifResourceType* type, Resource*& out) {
    void* found = nullptr;
    if (!enif_get_resource(env, term, type, &found)) return false;
    out = static_cast<Resource*>(found);
    return true;
}

// Arguments. False: not of this form.
bool text_of(ErlNifEnv* env, Term term, std::string& out);  // without zero bytes
// nil, or a text.
bool optional_text_of(ErlNifEnv* env, Term term, std::optional<std::string>& out);
bool number_of(ErlNifEnv* env, Term term, std::uint64_t& out);
bool boolean_of(ErlNifEnv* env, Term term, bool& out);
bool options_of(ErlNifEnv* env, Term term, snakepit_shm_options& out,
                std::optional<std::string>& name, std::optional<std::string>& metadata);
inline const char* c_text(const std::optional<std::string>& text) {
    return text ? text->c_str() : nullptr;
}

// Results.
Term atom(ErlNifEnv* env, const char* name);
Term binary(ErlNifEnv* env, const std::string& text);
Term number(ErlNifEnv* env, std::uint64_t value);
Term ok(ErlNifEnv* env, Term value);
// {:error, code, type, sentence} of the thread's last call.
Term error(ErlNifEnv* env, snakepit_shm_status status);
// The same for what is decided here.
Term error(ErlNifEnv* env, const char* code, const char* type, const char* sentence);
Term closed(ErlNifEnv* env);
Term result(ErlNifEnv* env, snakepit_shm_status status);  // :ok or the error
Term info_map(ErlNifEnv* env, const snakepit_shm_region_info& info);
Term map_of(ErlNifEnv* env, std::initializer_list<std::pair<const char*, Term>> entries);

// The same function again on a thread that may block.
inline Term on_dirty_thread(ErlNifEnv* env, const char* name, Nif function, int count,
                            const Term arguments[]) {
    return enif_schedule_nif(env, name, ERL_NIF_DIRTY_JOB_IO_BOUND, function, count, arguments);
}

// The functions of the module, by source.
extern const ErlNifFunc client_functions[];
extern const ErlNifFunc region_functions[];
extern const ErlNifFunc lock_functions[];
extern const ErlNifFunc ring_functions[];
extern const unsigned client_function_count, region_function_count, lock_function_count,
    ring_function_count;

// The calling process waits for the event of the ticket: {:waiting, watch}, and a message
// {tag, outcome} follows, {:done, watch, outcome}, or an error.
Term wait_with_tag(ErlNifEnv* env, const std::shared_ptr<Session>& session, const std::string& id,
                   std::uint64_t ticket, Term tag);

void stop_selecting(ErlNifEnv* env, ClientResource* client);

}  // namespace snakepit::elixir
