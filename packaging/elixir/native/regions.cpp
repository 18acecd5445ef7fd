// SPDX-License-Identifier: MIT
// Handles of mapped regions: mapping, bytes, views.
#include <cstring>

#include "terms.h"

namespace snakepit::elixir {

namespace {

// Copying this many bytes takes some microseconds: done on the scheduler itself.
constexpr std::uint64_t kCopiedAtOnce = 64 << 10;

// {:ok, handle, id, size}. The calling process owns the handle: it is closed when the process ends.
Term opened(ErlNifEnv* env, const std::shared_ptr<Session>& session, std::string id, bool write,
            snakepit_shm_mapping& mapping, Term* created = nullptr) {
    auto lease = session->lease(id, mapping, write);
    if (!lease)
        return error(env, "client_closed", "invalid_argument",
                     "the client was closed meanwhile: connect again");
    auto* const region = make_resource<RegionResource>(region_type);
    region->lease = std::move(lease);
    ErlNifPid owner;
    enif_self(env, &owner);
    if (enif_monitor_process(env, region, &owner, nullptr) != 0) region->take();
    const auto size = number(env, mapping.size);
    const auto handle = hand_over(env, region);
    if (created)
        return enif_make_tuple5(env, atom(env, "ok"), handle, binary(env, id), size, *created);
    return enif_make_tuple4(env, atom(env, "ok"), handle, binary(env, id), size);
}

struct MapRequest {
    ClientResource* client = nullptr;
    std::string id;
    bool write = false;

    bool read(ErlNifEnv* env, const Term arguments[]) {
        return resource_of(env, arguments[0], client_type, client) &&
               text_of(env, arguments[1], id) && boolean_of(env, arguments[2], write);
    }
    snakepit_shm_access access() const {
        return write ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY;
    }
};

Term map_asking(ErlNifEnv* env, int, const Term arguments[]) {
    MapRequest request;
    if (!request.read(env, arguments)) return enif_make_badarg(env);
    const auto session = request.client->session;
    snakepit_shm_mapping mapping{};
    auto status =
        snakepit_shm_map(session->handle(), request.id.c_str(), request.access(), &mapping);
    char id[SNAKEPIT_SHM_ID_SIZE];
    if (status == SNAKEPIT_SHM_OK) {
        status = snakepit_shm_mapping_id(session->handle(), &mapping, id);
        if (status != SNAKEPIT_SHM_OK) snakepit_shm_unmap(session->handle(), &mapping);
    }
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    return opened(env, session, id, request.write, mapping);
}

// map(client, id, write)
Term map(ErlNifEnv* env, int count, const Term arguments[]) {
    MapRequest request;
    if (!request.read(env, arguments)) return enif_make_badarg(env);
    const auto session = request.client->session;
    snakepit_shm_mapping mapping{};
    const auto status =
        snakepit_shm_map_cached(session->handle(), request.id.c_str(), request.access(), &mapping);
    if (status == SNAKEPIT_SHM_OK) return opened(env, session, request.id, request.write, mapping);
    if (status == SNAKEPIT_SHM_NOT_CACHED)
        return on_dirty_thread(env, "map", map_asking, count, arguments);
    return error(env, status);
}

// open(client, name, size, options, write): {:ok, handle, id, size, created}
Term open(ErlNifEnv* env, int, const Term arguments[]) {
    ClientResource* client = nullptr;
    std::string name;
    std::uint64_t size = 0;
    snakepit_shm_options options;
    std::optional<std::string> unused, metadata;
    bool write = false;
    if (!resource_of(env, arguments[0], client_type, client) || !text_of(env, arguments[1], name) ||
        !number_of(env, arguments[2], size) ||
        !options_of(env, arguments[3], options, unused, metadata) ||
        !boolean_of(env, arguments[4], write))
        return enif_make_badarg(env);
    const auto session = client->session;
    snakepit_shm_mapping mapping{};
    bool created = false;
    auto status = snakepit_shm_open(session->handle(), name.c_str(), size, &options,
                                    write ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY,
                                    &mapping, &created);
    char id[SNAKEPIT_SHM_ID_SIZE];
    if (status == SNAKEPIT_SHM_OK)
        status = snakepit_shm_mapping_id(session->handle(), &mapping, id);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    auto made = atom(env, created ? "true" : "false");
    return opened(env, session, id, write, mapping, &made);
}

Term close_taken(ErlNifEnv* env, const std::shared_ptr<Lease>& lease) {
    if (lease.use_count() == 1) return result(env, lease->release());
    return enif_make_tuple2(env, atom(env, "deferred"), enif_make_int(env, lease->views.load()));
}

Term close_waiting(ErlNifEnv* env, int, const Term arguments[]) {
    RegionResource* region = nullptr;
    if (!resource_of(env, arguments[0], region_type, region)) return enif_make_badarg(env);
    const auto lease = region->take();
    return lease ? close_taken(env, lease) : atom(env, "ok");
}

// close_region(region): :ok, or {:deferred, views} when binaries still show its memory.
Term close_region(ErlNifEnv* env, int count, const Term arguments[]) {
    RegionResource* region = nullptr;
    if (!resource_of(env, arguments[0], region_type, region)) return enif_make_badarg(env);
    if (const auto lease = region->get(); lease && lease->encrypted)
        return on_dirty_thread(env, "close_region", close_waiting, count, arguments);
    const auto lease = region->take();
    return lease ? close_taken(env, lease) : atom(env, "ok");
}

// Bytes of a region: of (region, offset, size).
struct Range {
    std::shared_ptr<Lease> lease;
    std::uint64_t offset = 0, size = 0;
    Term problem = 0;

    // False: `problem` is the answer.
    bool read(ErlNifEnv* env, Term handle, Term from, Term length) {
        RegionResource* region = nullptr;
        if (!resource_of(env, handle, region_type, region) || !number_of(env, from, offset) ||
            !number_of(env, length, size)) {
            problem = enif_make_badarg(env);
            return false;
        }
        return find(env, region);
    }
    bool find(ErlNifEnv* env, RegionResource* region) {
        lease = region->get();
        if (!lease) {
            problem = closed(env);
            return false;
        }
        if (offset > lease->mapping.size || size > lease->mapping.size - offset) {
            const auto sentence = "bytes " + std::to_string(offset) + " to " +
                                  std::to_string(offset) + " + " + std::to_string(size) +
                                  " are not in the region, which has " +
                                  std::to_string(lease->mapping.size) + " bytes";
            problem = error(env, "invalid_argument", "invalid_argument", sentence.c_str());
            return false;
        }
        return true;
    }
    unsigned char* bytes() const {
        return static_cast<unsigned char*>(lease->mapping.data) + offset;
    }
    bool at_once() const { return !lease->encrypted && size <= kCopiedAtOnce; }
};

Term copy_out(ErlNifEnv* env, const Range& range) {
    Term term = 0;
    auto* const bytes = enif_make_new_binary(env, range.size, &term);
    if (!range.lease->encrypted) {
        std::memcpy(bytes, range.bytes(), range.size);
        return ok(env, term);
    }
    const auto status = snakepit_shm_read(range.lease->session->handle(), range.lease->id.c_str(),
                                          range.offset, bytes, range.size);
    return status == SNAKEPIT_SHM_OK ? ok(env, term) : error(env, status);
}

Term read_long(ErlNifEnv* env, int, const Term arguments[]) {
    Range range;
    if (!range.read(env, arguments[0], arguments[1], arguments[2])) return range.problem;
    return copy_out(env, range);
}

// read(region, offset, size)
Term read(ErlNifEnv* env, int count, const Term arguments[]) {
    Range range;
    if (!range.read(env, arguments[0], arguments[1], arguments[2])) return range.problem;
    if (!range.at_once()) return on_dirty_thread(env, "read", read_long, count, arguments);
    return copy_out(env, range);
}

Term write_some(ErlNifEnv* env, int count, const Term arguments[], bool may_block);

Term write_long(ErlNifEnv* env, int count, const Term arguments[]) {
    return write_some(env, count, arguments, true);
}

// write(region, offset, binary)
Term write(ErlNifEnv* env, int count, const Term arguments[]) {
    return write_some(env, count, arguments, false);
}

Term write_some(ErlNifEnv* env, int count, const Term arguments[], bool may_block) {
    RegionResource* region = nullptr;
    ErlNifBinary data;
    Range range;
    if (!resource_of(env, arguments[0], region_type, region) ||
        !number_of(env, arguments[1], range.offset) ||
        !enif_inspect_binary(env, arguments[2], &data))
        return enif_make_badarg(env);
    range.size = data.size;
    if (!range.find(env, region)) return range.problem;
    const auto& lease = *range.lease;
    if (!lease.writable)
        return error(env, "read_only", "permission_denied",
                     "the region is mapped read-only: map it with access: :read_write");
    if (!may_block && !range.at_once())
        return on_dirty_thread(env, "write", write_long, count, arguments);
    if (lease.encrypted)
        return result(env, snakepit_shm_write(lease.session->handle(), lease.id.c_str(),
                                              range.offset, data.data, range.size));
    // The data may be a view of the same region.
    std::memmove(range.bytes(), data.data, range.size);
    return atom(env, "ok");
}

// ------------------------------------------------------------------------------- views

Term view_of(ErlNifEnv* env, const Range& range, std::shared_ptr<Hold> hold) {
    auto* const view = make_resource<ViewResource>(view_type, range.lease, std::move(hold));
    const auto term = enif_make_resource_binary(env, view, range.bytes(), range.size);
    enif_release_resource(view);
    return ok(env, term);
}

Term unsafe_view(ErlNifEnv* env, int, const Term arguments[]) {
    Range range;
    if (!range.read(env, arguments[0], arguments[1], arguments[2])) return range.problem;
    return view_of(env, range, nullptr);
}

Term view_asking(ErlNifEnv* env, int, const Term arguments[]) {
    Range range;
    if (!range.read(env, arguments[0], arguments[1], arguments[2])) return range.problem;
    snakepit_shm_region_info info{};
    info.struct_size = sizeof info;
    auto& lease = *range.lease;
    const auto status = snakepit_shm_info(lease.session->handle(), lease.id.c_str(), &info);
    if (status != SNAKEPIT_SHM_OK) return error(env, status);
    if (!info.sealed)
        return error(env, "not_immutable", "permission_denied",
                     "the region may change: lock it for reading in this process, seal it, or use "
                     "unsafe_view");
    lease.sealed = true;
    return view_of(env, range, nullptr);
}

// view(region, offset, size): of a region that is sealed or that this process has locked for
// reading; the lock then stays until the binary is collected.
Term view(ErlNifEnv* env, int count, const Term arguments[]) {
    Range range;
    if (!range.read(env, arguments[0], arguments[1], arguments[2])) return range.problem;
    if (range.lease->sealed) return view_of(env, range, nullptr);
    ErlNifPid self;
    enif_self(env, &self);
    if (auto hold = range.lease->session->read_lock(self, range.lease->id))
        return view_of(env, range, std::move(hold));
    return on_dirty_thread(env, "view", view_asking, count, arguments);
}

Term flush(ErlNifEnv* env, int, const Term arguments[]) {
    RegionResource* region = nullptr;
    if (!resource_of(env, arguments[0], region_type, region)) return enif_make_badarg(env);
    const auto lease = region->get();
    if (!lease) return closed(env);
    return result(env, snakepit_shm_flush(lease->session->handle(), &lease->mapping));
}

Term refresh(ErlNifEnv* env, int, const Term arguments[]) {
    RegionResource* region = nullptr;
    if (!resource_of(env, arguments[0], region_type, region)) return enif_make_badarg(env);
    const auto lease = region->get();
    if (!lease) return closed(env);
    return result(env, snakepit_shm_refresh(lease->session->handle(), &lease->mapping));
}

// region_state(region): {:ok, address, views}
Term region_state(ErlNifEnv* env, int, const Term arguments[]) {
    RegionResource* region = nullptr;
    if (!resource_of(env, arguments[0], region_type, region)) return enif_make_badarg(env);
    const auto lease = region->get();
    if (!lease) return closed(env);
    return enif_make_tuple3(env, atom(env, "ok"),
                            number(env, reinterpret_cast<std::uintptr_t>(lease->mapping.data)),
                            enif_make_int(env, lease->views.load()));
}

// binary_address(binary): where its bytes are
Term binary_address(ErlNifEnv* env, int, const Term arguments[]) {
    ErlNifBinary bytes;
    if (!enif_inspect_binary(env, arguments[0], &bytes)) return enif_make_badarg(env);
    return number(env, reinterpret_cast<std::uintptr_t>(bytes.data));
}

}  // namespace

const ErlNifFunc region_functions[] = {
    {"map", 3, map, 0},
    {"open", 5, open, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"close_region", 1, close_region, 0},
    {"read", 3, read, 0},
    {"write", 3, write, 0},
    {"view", 3, view, 0},
    {"unsafe_view", 3, unsafe_view, 0},
    {"flush", 1, flush, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"refresh", 1, refresh, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"region_state", 1, region_state, 0},
    {"binary_address", 1, binary_address, 0},
};
const unsigned region_function_count = sizeof region_functions / sizeof *region_functions;

}  // namespace snakepit::elixir
