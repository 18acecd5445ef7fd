// SPDX-License-Identifier: MIT
// Rings of frames. Every call has timeout 0: waiting is done by the calling process, with events.
#include <cstring>

#include "reaper.h"
#include "snakepit/shm/snakepit_shm_ring.h"
#include "terms.h"

namespace snakepit::elixir {

// One part in a ring. The process that took it owns it.
struct RingResource {
    explicit RingResource(std::shared_ptr<Session> of) : session(std::move(of)) {}
    ~RingResource() { close_later(); }
    RingResource(const RingResource&) = delete;
    RingResource& operator=(const RingResource&) = delete;

    // Closing asks the manager, and schedulers must not wait.
    void close_later() {
        if (auto* const part = take())
            Reaper::slow().push([part, keeps = session] { snakepit_shm_ring_close(part); });
    }
    snakepit_shm_ring* take() {
        const std::lock_guard held(mutex);
        return std::exchange(ring, nullptr);
    }

    const std::shared_ptr<Session> session;
    std::string id;
    std::mutex mutex;  // a ring's handle is used by one thread at a time; also guards the following
    snakepit_shm_ring* ring = nullptr;  // null: closed
};

ErlNifResourceType* ring_type = nullptr;

void ring_owner_down(ErlNifEnv*, void* resource, ErlNifPid*, ErlNifMonitor*) {
    static_cast<RingResource*>(resource)->close_later();
}
void destroy_ring(ErlNifEnv*, void* resource) {
    static_cast<RingResource*>(resource)->~RingResource();
}

namespace {

// Copying this many bytes takes some microseconds: done on the scheduler itself.
constexpr std::uint64_t kCopiedAtOnce = 64 << 10;
constexpr int kAttempts = 8;  // a frame may be overwritten while it is copied

Term closed_ring(ErlNifEnv* env) {
    return error(env, "closed", "invalid_argument",
                 "the ring's handle was closed, or the process that opened it has ended: open the "
                 "ring in this process");
}

bool role_of(ErlNifEnv* env, Term term, snakepit_shm_ring_role& out) {
    bool produces = false;
    if (!boolean_of(env, term, produces)) return false;
    out = produces ? SNAKEPIT_SHM_RING_PRODUCER : SNAKEPIT_SHM_RING_CONSUMER;
    return true;
}

// The handle of the first argument, and the mutex while it is used.
class Part {
  public:
    bool read(ErlNifEnv* env, Term handle) {
        if (!resource_of(env, handle, ring_type, resource_)) return false;
        held_ = std::unique_lock(resource_->mutex);
        return true;
    }
    // The same on a scheduler: `busy` when another thread uses the handle.
    bool try_read(ErlNifEnv* env, Term handle, bool& busy) {
        if (!resource_of(env, handle, ring_type, resource_)) return false;
        held_ = std::unique_lock(resource_->mutex, std::try_to_lock);
        busy = !held_;
        return true;
    }
    RingResource& resource() const { return *resource_; }
    snakepit_shm_ring* ring() const { return resource_->ring; }
    void unlock() { held_.unlock(); }

  private:
    RingResource* resource_ = nullptr;
    std::unique_lock<std::mutex> held_;
};

Term opened(ErlNifEnv* env, const std::shared_ptr<Session>& session, snakepit_shm_ring* ring) {
    snakepit_shm_ring_description found{};
    found.struct_size = sizeof found;
    const auto status = snakepit_shm_ring_info(ring, &found);
    if (status != SNAKEPIT_SHM_OK) {
        const auto term = error(env, status);
        snakepit_shm_ring_close(ring);
        return term;
    }
    auto* const resource = make_resource<RingResource>(ring_type, session);
    resource->ring = ring;
    resource->id = found.id;
    ErlNifPid owner;
    enif_self(env, &owner);
    if (enif_monitor_process(env, resource, &owner, nullptr) != 0) resource->close_later();
    return enif_make_tuple4(env, atom(env, "ok"), hand_over(env, resource), binary(env, found.id),
                            number(env, found.slot_size));
}

// ring_create(client, name or nil, options, {slot_size, slots, consumers, back_pressure}, produce)
Term ring_create(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::optional<std::string> name, unused, metadata;
    snakepit_shm_options region;
    snakepit_shm_ring_options options = SNAKEPIT_SHM_RING_OPTIONS_INIT;
    snakepit_shm_ring_role role{};
    int count = 0;
    const Term* parts = nullptr;
    bool back_pressure = false;
    if (!resource_of(env, arguments[0], client_type, client) ||
        !optional_text_of(env, arguments[1], name) ||
        !options_of(env, arguments[2], region, unused, metadata) ||
        !enif_get_tuple(env, arguments[3], &count, &parts) || count != 4 ||
        !number_of(env, parts[0], options.slot_size) ||
        !enif_get_uint(env, parts[1], &options.slots) ||
        !enif_get_uint(env, parts[2], &options.max_consumers) ||
        !boolean_of(env, parts[3], back_pressure) || !role_of(env, arguments[4], role))
        return enif_make_badarg(env);
    options.policy = back_pressure ? SNAKEPIT_SHM_RING_BACK_PRESSURE : SNAKEPIT_SHM_RING_OVERWRITE;
    options.region = &region;
    const auto session = client->session;
    snakepit_shm_ring* ring = nullptr;
    const auto status =
        snakepit_shm_ring_create(session->handle(), c_text(name), &options, role, 0, &ring);
    return status == SNAKEPIT_SHM_OK ? opened(env, session, ring) : error(env, status);
}

// ring_open(client, id or name, produce)
Term ring_open(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::string id;
    snakepit_shm_ring_role role{};
    if (!resource_of(env, arguments[0], client_type, client) || !text_of(env, arguments[1], id) ||
        !role_of(env, arguments[2], role))
        return enif_make_badarg(env);
    const auto session = client->session;
    snakepit_shm_ring* ring = nullptr;
    const auto status = snakepit_shm_ring_open(session->handle(), id.c_str(), role, 0, &ring);
    return status == SNAKEPIT_SHM_OK ? opened(env, session, ring) : error(env, status);
}

Term ring_close(ErlNifEnv* env, int, const Term arguments[]) {
    RingResource* resource = nullptr;
    if (!resource_of(env, arguments[0], ring_type, resource)) return enif_make_badarg(env);
    snakepit_shm_ring_close(resource->take());
    return atom(env, "ok");
}

Term push(ErlNifEnv* env, Part& part, const ErlNifBinary& frame) {
    if (!part.ring()) return closed_ring(env);
    return result(env, snakepit_shm_ring_push(part.ring(), frame.data, frame.size, 0));
}

Term ring_push_waiting(ErlNifEnv* env, int, const Term arguments[]) {
    Part part;
    ErlNifBinary frame;
    if (!part.read(env, arguments[0]) || !enif_inspect_binary(env, arguments[1], &frame))
        return enif_make_badarg(env);
    return push(env, part, frame);
}

// ring_push(ring, frame): :ok, or an error; :timeout when no slot is free
Term ring_push(ErlNifEnv* env, int count, const Term arguments[]) {
    Part part;
    ErlNifBinary frame;
    bool busy = false;
    if (!enif_inspect_binary(env, arguments[1], &frame)) return enif_make_badarg(env);
    if (frame.size > kCopiedAtOnce)
        return on_dirty_thread(env, "ring_push", ring_push_waiting, count, arguments);
    if (!part.try_read(env, arguments[0], busy)) return enif_make_badarg(env);
    if (busy) return on_dirty_thread(env, "ring_push", ring_push_waiting, count, arguments);
    return push(env, part, frame);
}

// The next frame, if it has at most `most` bytes; else `term` is empty and nothing has changed.
std::optional<Term> pop(ErlNifEnv* env, Part& part, std::uint64_t most) {
    if (!part.ring()) return closed_ring(env);
    snakepit_shm_status status = SNAKEPIT_SHM_TIMEOUT;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        snakepit_shm_frame frame{};
        frame.struct_size = sizeof frame;
        status = snakepit_shm_ring_peek(part.ring(), 0, &frame);
        if (status != SNAKEPIT_SHM_OK) break;
        if (frame.size > most) return std::nullopt;
        Term data = 0;
        auto* const bytes = enif_make_new_binary(env, frame.size, &data);
        std::memcpy(bytes, frame.data, frame.size);
        const bool whole = snakepit_shm_ring_valid(part.ring());
        status = whole ? snakepit_shm_ring_release(part.ring()) : SNAKEPIT_SHM_TIMEOUT;
        if (whole && status == SNAKEPIT_SHM_OK)
            return enif_make_tuple5(env, atom(env, "ok"), data, number(env, frame.number),
                                    number(env, frame.lost), number(env, frame.producer));
        if (whole) break;
    }
    return error(env, status);
}

Term ring_pop_waiting(ErlNifEnv* env, int, const Term arguments[]) {
    Part part;
    if (!part.read(env, arguments[0])) return enif_make_badarg(env);
    return *pop(env, part, UINT64_MAX);
}

// ring_pop(ring): {:ok, bytes, number, lost, producer}, or an error; :timeout when there is none
Term ring_pop(ErlNifEnv* env, int count, const Term arguments[]) {
    Part part;
    bool busy = false;
    if (!part.try_read(env, arguments[0], busy)) return enif_make_badarg(env);
    if (!busy)
        if (const auto term = pop(env, part, kCopiedAtOnce)) return *term;
    return on_dirty_thread(env, "ring_pop", ring_pop_waiting, count, arguments);
}

// ring_check(ring): :ok, or that the producer has ended
Term ring_check(ErlNifEnv* env, int, const Term arguments[]) {
    Part part;
    if (!part.read(env, arguments[0])) return enif_make_badarg(env);
    return part.ring() ? result(env, snakepit_shm_ring_check(part.ring())) : closed_ring(env);
}

// ring_wait(ring, tag): as wait()
Term ring_wait(ErlNifEnv* env, int, const Term arguments[]) {
    Part part;
    if (!part.read(env, arguments[0])) return enif_make_badarg(env);
    if (!part.ring()) return closed_ring(env);
    std::uint64_t ticket = 0;
    const auto status = snakepit_shm_ring_wait_begin(part.ring(), &ticket);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    const auto& resource = part.resource();
    part.unlock();
    return wait_with_tag(env, resource.session, resource.id, ticket, arguments[1]);
}

Term ring_info(ErlNifEnv* env, int, const Term arguments[]) {
    Part part;
    if (!part.read(env, arguments[0])) return enif_make_badarg(env);
    if (!part.ring()) return closed_ring(env);
    snakepit_shm_ring_description found{};
    found.struct_size = sizeof found;
    const auto status = snakepit_shm_ring_info(part.ring(), &found);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    const bool waits = found.policy == SNAKEPIT_SHM_RING_BACK_PRESSURE;
    const bool produces = found.role == SNAKEPIT_SHM_RING_PRODUCER;
    return ok(env, map_of(env, {{"id", binary(env, found.id)},
                                {"slot_size", number(env, found.slot_size)},
                                {"slots", number(env, found.slots)},
                                {"max_consumers", number(env, found.max_consumers)},
                                {"policy", atom(env, waits ? "back_pressure" : "overwrite")},
                                {"role", atom(env, produces ? "producer" : "consumer")},
                                {"published", number(env, found.published)},
                                {"position", number(env, found.position)},
                                {"behind", number(env, found.behind)},
                                {"consumers", number(env, found.consumers)},
                                {"producers", number(env, found.producers)},
                                {"closed", atom(env, found.closed ? "true" : "false")}}));
}

}  // namespace

const ErlNifFunc ring_functions[] = {
    {"ring_create", 5, ring_create, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"ring_open", 3, ring_open, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"ring_close", 1, ring_close, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"ring_push", 2, ring_push, 0},
    {"ring_pop", 1, ring_pop, 0},
    {"ring_check", 1, ring_check, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"ring_wait", 2, ring_wait, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"ring_info", 1, ring_info, ERL_NIF_DIRTY_JOB_IO_BOUND},
};
const unsigned ring_function_count = sizeof ring_functions / sizeof *ring_functions;

}  // namespace snakepit::elixir
