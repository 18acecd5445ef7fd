// SPDX-License-Identifier: MIT
// The library as the virtual machine loads it: resource types, load, upgrade, unload.
#include <unistd.h>

#include <vector>

#include "reaper.h"
#include "terms.h"

namespace snakepit::elixir {

ErlNifResourceType* client_type = nullptr;
ErlNifResourceType* region_type = nullptr;
ErlNifResourceType* view_type = nullptr;
ErlNifResourceType* watch_type = nullptr;

namespace {

template <typename Resource>
void destroy(ErlNifEnv*, void* resource) {
    static_cast<Resource*>(resource)->~Resource();
}

// Monitors: the process that owned the resource has ended.

void client_owner_down(ErlNifEnv* env, void* resource, ErlNifPid*, ErlNifMonitor*) {
    auto* const client = static_cast<ClientResource*>(resource);
    stop_selecting(env, client);
    Reaper::slow().push([session = client->session] { session->close(); });
}

void region_owner_down(ErlNifEnv*, void* resource, ErlNifPid*, ErlNifMonitor*) {
    static_cast<RegionResource*>(resource)->take();
}

void watched_process_down(ErlNifEnv*, void* resource, ErlNifPid*, ErlNifMonitor*) {
    auto* const watch = static_cast<Watch*>(resource);
    enif_keep_resource(watch);
    const bool allocation = watch->kind == WatchKind::allocation;
    auto& reaper = allocation ? Reaper::slow() : Reaper::quick();
    reaper.push([watch, allocation] {
        if (watch->session->end(watch, true).first && allocation)
            watch->session->deallocate(watch->id);
        enif_release_resource(watch);
    });
}

void selecting_stopped(ErlNifEnv*, void*, ErlNifEvent descriptor, int) {
    ::close(descriptor);
}

ErlNifResourceType* open_type(ErlNifEnv* env, const char* name, ErlNifResourceDtor* destructor,
                              ErlNifResourceDown* down, ErlNifResourceStop* stop = nullptr) {
    ErlNifResourceTypeInit init{};
    init.dtor = destructor;
    init.stop = stop;
    init.down = down;
    init.members = 3;
    return enif_init_resource_type(
        env, name, &init, static_cast<ErlNifResourceFlags>(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER),
        nullptr);
}

bool open_types(ErlNifEnv* env) {
    client_type =
        open_type(env, "client", destroy<ClientResource>, client_owner_down, selecting_stopped);
    region_type = open_type(env, "region", destroy<RegionResource>, region_owner_down);
    view_type = open_type(env, "view", destroy<ViewResource>, nullptr);
    watch_type = open_type(env, "watch", destroy<Watch>, watched_process_down);
    ring_type = open_type(env, "ring", destroy_ring, ring_owner_down);
    return client_type && region_type && view_type && watch_type && ring_type;
}

// Instances of the Elixir module that use this library, and its mark: another file that is loaded
// in its place has handles of its own, so it must not get ours.
int instances = 0;
int mark = 0;

int load(ErlNifEnv* env, void** data, Term) {
    if (!open_types(env)) return 1;
    ++instances;
    *data = &mark;
    return 0;
}

int upgrade(ErlNifEnv* env, void** data, void** old, Term) {
    if (*old != &mark) return 2;
    if (!open_types(env)) return 1;
    ++instances;
    *data = &mark;
    return 0;
}

void unload(ErlNifEnv*, void*) {
    if (--instances == 0) Reaper::join_all();
}

}  // namespace

}  // namespace snakepit::elixir

// What ERL_NIF_INIT makes, for functions that are listed in several sources.
extern "C" __attribute__((visibility("default"))) ErlNifEntry* nif_init() {
    using namespace snakepit::elixir;
    static std::vector<ErlNifFunc> functions;
    if (functions.empty()) {
        functions.insert(functions.end(), client_functions,
                         client_functions + client_function_count);
        functions.insert(functions.end(), region_functions,
                         region_functions + region_function_count);
        functions.insert(functions.end(), lock_functions, lock_functions + lock_function_count);
        functions.insert(functions.end(), ring_functions, ring_functions + ring_function_count);
    }
    static ErlNifEntry entry{ERL_NIF_MAJOR_VERSION,
                             ERL_NIF_MINOR_VERSION,
                             "Elixir.SnakepitShm.Native",
                             static_cast<int>(functions.size()),
                             functions.data(),
                             load,
                             nullptr,
                             upgrade,
                             unload,
                             ERL_NIF_VM_VARIANT,
                             1,
                             sizeof(ErlNifResourceTypeInit),
                             ERL_NIF_MIN_ERTS_VERSION};
    return &entry;
}
