// SPDX-License-Identifier: MIT
// Allocating regions. If anything fails after the request was sent, the allocation is cancelled.

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/time.h"
#include "client/manager_client_private.h"
#include "platform/memory_limit.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// Larger regions have a dedicated segment, whose memory this process reserves.
constexpr std::uint64_t kNeverPooled = 64 << 20;
// Between two refusals without a request; it doubles with each of them. Nanoseconds.
constexpr std::int64_t kShortestPause = 1'000'000, kLongestPause = 16'000'000;

Error own_limit_error(Error error) {
    error.message = "the memory cannot be reserved for this process: " + error.message;
    return error;
}

}  // namespace

Result<RegionId> ManagerClient::allocate(std::uint64_t size, const RegionOptions& options) {
    SHM_ASSIGN(auto held, d_->lock());
    const bool own = size > kNeverPooled && !options.durable && d_->connection->lease().valid();
    if (own) {
        if (auto fits = d_->check_memory(size); !fits) {
            const auto pause = d_->pause_of_refusal() - monotonic_nanos();
            held.unlock();
            if (pause > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(pause));
            return fail(std::move(fits).error());
        }
    }
    auto call = to_wire(size, options);
    call.can_reserve = d_->connection->lease().valid();
    bool unable = false;
    auto made = d_->allocate(call, unable);
    if (own && !made && !unable && made.error().code == ErrorCode::no_space) d_->short_of = size;
    if (made || !unable) return made;
    call.can_reserve = false;  // then the manager reserves it
    return d_->allocate(call, unable);
}

// A size that this process could not reserve is not requested again while that is so: a program
// that retries endlessly then costs the manager nothing.
Status ManagerClient::Private::check_memory(std::uint64_t size) {
    if (short_of == 0 || size < short_of) return {};
    MemoryLimit limit;
    if (auto fits = limit.check(size); !fits) return fail(own_limit_error(fits.error()));
    short_of = 0;
    short_for = 0;
    return {};
}

// When such a refusal returns, monotonic nanoseconds; in the past where the program paused itself.
// Reading a control group's files takes the kernel
// a good part of a millisecond: in a loop without a pause that is the load of a busy processor.
std::int64_t ManagerClient::Private::pause_of_refusal() {
    short_for = std::clamp(2 * short_for, kShortestPause, kLongestPause);
    const auto until = std::min(short_since + short_for, connection->deadline());
    short_since = std::max(until, monotonic_nanos());
    return until;
}

// `unable`: this process cannot reserve the memory, but the manager may be able to.
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
        // The manager restarted or the connection broke: the allocation was undone.
        if (!answer && answer.error().code == ErrorCode::region_not_found &&
            monotonic_nanos() < deadline)
            continue;
        auto id =
            answer ? hold(std::move(*answer)) : Result<RegionId>(fail(std::move(answer).error()));
        if (!id) connection->cancel_allocation(request_id);
        return id;
    }
}

// Reserves the pages of the new segment, so that they are charged to this process's control group
// and not to the manager's. The manager grants the region after verifying them.
Result<Connection::Answer> ManagerClient::Private::reserve(Connection::Answer& answer,
                                                           std::uint64_t request_id,
                                                           std::int64_t deadline, bool& unable) {
    const auto size = answer.reply.answer.AsGranted()->segment_size;
    const auto& segment = connection->keep(std::move(answer.handle));
    answer.no_fork = {};  // a forked child closes descriptors kept by the connection
    MemoryLimit limit;    // kept for no longer than this: it holds descriptors
    const auto reserved = limit.reserve(segment, 0, size, [&]() -> Status {
        if (connection->closed()) return fail(closed_error());
        if (monotonic_nanos() < deadline) return {};
        return fail(ErrorCode::timeout, "the memory was not reserved in time",
                    "request less, or allow more time");
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

// This client holds one reference to the new region.
Result<RegionId> ManagerClient::Private::hold(Connection::Answer answer) {
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || !granted->id) return unexpected_answer();
    const auto id = from_wire(*granted->id);
    if (!connection->lease().valid()) return id;  // this client cannot hold references
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
