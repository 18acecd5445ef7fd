// SPDX-License-Identifier: MIT
// New regions. Whatever fails after the request left, the manager is told that nobody wants what
// it made.

#include "base/time.h"
#include "client/manager_client_private.h"
#include "platform/memory_limit.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// Larger regions have a segment of their own, whose memory this process reserves.
constexpr std::uint64_t kNeverPooled = 64 << 20;

Error own_limit_error(Error error) {
    error.message = "this program cannot have the memory: " + error.message;
    return error;
}

}  // namespace

Result<RegionId> ManagerClient::allocate(std::uint64_t size, const RegionOptions& options) {
    SHM_ASSIGN(const auto held, d_->lock());
    const bool own = size > kNeverPooled && !options.durable && d_->connection->lease().valid();
    if (own) SHM_TRY(d_->check_memory(size));
    auto call = to_wire(size, options);
    call.can_reserve = d_->connection->lease().valid();
    bool unable = false;
    auto made = d_->allocate(call, unable);
    if (own && !made && !unable && made.error().code == ErrorCode::no_space) d_->short_of = size;
    if (made || !unable) return made;
    call.can_reserve = false;  // then the manager has to
    return d_->allocate(call, unable);
}

// What this process could not have before is not asked of the manager again while it is so: a
// program that tries without end costs nobody else anything.
Status ManagerClient::Private::check_memory(std::uint64_t size) {
    if (short_of == 0 || size < short_of) return {};
    MemoryLimit limit;
    if (auto fits = limit.check(size); !fits) return fail(own_limit_error(fits.error()));
    short_of = 0;
    return {};
}

// `unable`: the system does not let this process reserve the memory, or has none; the manager may.
Result<RegionId> ManagerClient::Private::allocate(const wire::AllocateT& call, bool& unable) {
    const auto request_id = connection->next_request();
    const auto deadline = connection->deadline();
    for (;;) {
        wire::RequestT request;
        request.id = request_id;
        request.call.Set(wire::AllocateT(call));
        auto answer = connection->call(std::move(request));
        locks.send_cancelled();
        if (!answer) {
            if (!connection->refused()) connection->cancel_allocation(request_id);
            return fail(std::move(answer).error());
        }
        const auto* granted = answer->reply.answer.AsGranted();
        if (granted && granted->reserve) answer = reserve(*answer, request_id, deadline, unable);
        // The manager was restarted meanwhile, or the connection broke: nothing is left of it.
        if (!answer && answer.error().code == ErrorCode::region_not_found &&
            monotonic_nanos() < deadline)
            continue;
        auto id =
            answer ? hold(std::move(*answer)) : Result<RegionId>(fail(std::move(answer).error()));
        if (!id) connection->cancel_allocation(request_id);
        return id;
    }
}

// Takes the pages of the new segment, so that they are charged to this process's control group,
// and not to the manager's; it grants the region when it has seen that they are there.
Result<Connection::Answer> ManagerClient::Private::reserve(Connection::Answer& answer,
                                                           std::uint64_t request_id,
                                                           std::int64_t deadline, bool& unable) {
    const auto size = answer.reply.answer.AsGranted()->segment_size;
    const auto& segment = connection->keep(std::move(answer.handle));
    answer.no_fork = {};  // a forked child closes what the connection keeps
    MemoryLimit limit;    // kept for no longer than this: it holds descriptors
    const auto reserved = limit.reserve(segment, 0, size, [&]() -> Status {
        if (connection->closed()) return fail(closed_error());
        if (monotonic_nanos() < deadline) return {};
        return fail(ErrorCode::timeout, "it was not reserved in time",
                    "ask for less, or allow more time");
    });
    connection->keep({});
    if (!reserved) {
        if (reserved.error().code == ErrorCode::client_closed) return fail(reserved.error());
        unable = reserved.error().system_error != 0;
        return fail(own_limit_error(reserved.error()));
    }
    wire::ReservedT call;
    call.allocation = request_id;
    return ask_locked(std::move(call));
}

// The new region holds one reference of ours.
Result<RegionId> ManagerClient::Private::hold(Connection::Answer answer) {
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || !granted->id) return unexpected_answer();
    const auto id = from_wire(*granted->id);
    if (!connection->lease().valid()) return id;  // nothing can be held
    SHM_ASSIGN(auto* entry, mapper.install(answer, AccessMode::read_write));
    auto outcome = LeasePage::Acquire::not_granted;
    answer.no_fork = {};  // it may be needed for the next answer
    if (entry) SHM_TRY(mapper.acquire(*entry, id, AccessMode::read_write, outcome));
    if (outcome != LeasePage::Acquire::acquired)
        SHM_TRY(map_slowly(id, AccessMode::read_write, !entry));
    mapper.at(id).holds_allocation = true;
    return id;
}

}  // namespace snakepit::shm
