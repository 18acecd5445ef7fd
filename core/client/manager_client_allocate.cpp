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
constexpr int kOpenAttempts = 4;

Error own_limit_error(Error error) {
    error.message = "the memory cannot be reserved for this process: " + error.message;
    return error;
}

}  // namespace

// A size that this process could not reserve is not requested again while that is so: a program
// that retries endlessly then costs the manager nothing.
Status ManagerClient::Private::check_memory(std::uint64_t size, Connection::Lock& held) {
    if (short_of == 0 || size < short_of) return {};
    MemoryLimit limit;
    if (auto fits = limit.check(size); !fits) {
        const auto pause = pause_of_refusal() - monotonic_nanos();
        held.unlock();
        if (pause > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(pause));
        return fail(own_limit_error(std::move(fits).error()));
    }
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
template <typename Use>
auto ManagerClient::Private::allocate(const wire::AllocateT& call, bool& unable, Use use)
    -> std::invoke_result_t<Use, Connection::Answer> {
    const auto request_id = connection->next_request();
    const auto deadline = connection->deadline();
    for (;;) {
        wire::RequestT request;
        request.id = request_id;
        request.call.Set(wire::AllocateT(call));
        auto answer = connection->call(std::move(request));
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
        if (!answer) {
            connection->cancel_allocation(request_id);
            return fail(std::move(answer).error());
        }
        auto used = use(std::move(*answer));
        if (!used) connection->cancel_allocation(request_id);
        return used;
    }
}

template <typename Use>
auto ManagerClient::Private::allocate_region(Connection::Lock& held, wire::AllocateT call, Use use)
    -> std::invoke_result_t<Use, Connection::Answer> {
    const bool own = call.size > kNeverPooled && !call.durable && connection->lease().valid();
    if (own) SHM_TRY(check_memory(call.size, held));
    call.can_reserve = connection->lease().valid();
    bool unable = false;
    auto made = allocate(call, unable, use);
    if (own && !made && !unable && made.error().code == ErrorCode::no_space) short_of = call.size;
    if (made || !unable) return made;
    call.can_reserve = false;  // then the manager reserves it
    return allocate(call, unable, use);
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
    if (entry && entry->arena) {
        const auto slots = mapper.install_stash(*granted);
        if (!granted->stash_hollow || stash.take_memory(slots))
            for (auto* one : slots) stash.add(*one);
    }
    auto outcome = LeasePage::Acquire::not_granted;
    answer.no_fork = {};  // it may be needed for the next answer
    if (entry) SHM_TRY(mapper.acquire(*entry, id, AccessMode::read_write, outcome));
    if (outcome != LeasePage::Acquire::acquired)
        SHM_TRY(map_slowly(id, AccessMode::read_write, !entry));
    mapper.at(id).holds_allocation = true;
    return id;
}

Result<OpenedRegion> ManagerClient::Private::take_opened(Connection::Answer answer,
                                                         AccessMode access) {
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || !granted->id) return unexpected_answer();
    const auto id = from_wire(*granted->id);
    OpenedRegion out;
    out.created = granted->created;
    SHM_ASSIGN(auto* entry, mapper.install(answer, out.created ? AccessMode::read_write : access));
    answer.no_fork = {};
    if (entry && access == AccessMode::read_only) SHM_TRY(mapper.add_read_only(*entry));
    auto outcome = LeasePage::Acquire::not_granted;
    if (entry) {
        SHM_ASSIGN(out.mapping, mapper.acquire(*entry, id, access, outcome));
    }
    if (outcome != LeasePage::Acquire::acquired) {
        SHM_ASSIGN(out.mapping, map_slowly(id, access, !entry));
    }
    return out;
}

// ---------------------------------------------------------------- public

Result<RegionId> ManagerClient::allocate(std::uint64_t size, const RegionOptions& options) {
    if (d_->connection->forked()) return fail(forked_error());
    const bool plain = options == RegionOptions{};
    if (plain && !d_->connection->closed())
        if (const auto id = d_->stash.claim(size)) return *id;
    SHM_ASSIGN(auto held, d_->lock());
    auto call = to_wire(size, options);
    if (plain && d_->connection->lease().valid()) call.stash = d_->stash.wanted(size);
    return d_->allocate_region(held, std::move(call), [this](Connection::Answer answer) {
        return d_->hold(std::move(answer));
    });
}

Result<OpenedRegion> ManagerClient::open(const std::string& name, std::uint64_t size,
                                         const RegionOptions& options, AccessMode access) {
    auto call = to_wire(size, options);
    call.name = name;
    call.open = true;
    call.open_access = static_cast<std::uint8_t>(access);
    const auto take = [&](Connection::Answer answer) {
        return d_->take_opened(std::move(answer), access);
    };
    auto opened = [&]() -> Result<OpenedRegion> {
        SHM_ASSIGN(auto held, d_->lock());
        if (!d_->connection->lease().valid())
            return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                        "connect with one to map regions");
        for (int attempt = 1;; ++attempt) {
            auto done = d_->allocate_region(held, call, take);
            // It was withdrawn before its reference could be taken: the name is free again.
            if (done || done.error().code != ErrorCode::region_not_found ||
                attempt == kOpenAttempts)
                return done;
        }
    }();
    if (!opened || opened->mapping.level == SecurityLevel::standard) return opened;
    const auto segment = opened->mapping;
    SHM_ASSIGN(const auto id, region_of(segment));
    auto view = d_->encrypted.open(id, segment);
    if (!view) {
        (void)d_->release(segment);
        return fail(std::move(view).error());
    }
    opened->mapping = *view;
    return opened;
}

Result<RegionId> ManagerClient::region_of(const MappedRegion& mapping) {
    SHM_ASSIGN(const auto held, d_->lock());
    const auto id = d_->mapper.region_at(mapping.slot, mapping.generation);
    if (id) return *id;
    return fail(ErrorCode::not_held, "this mapping was released", "map the region again");
}

}  // namespace snakepit::shm
