// SPDX-License-Identifier: MIT
#include "client/lock_client.h"

#include <algorithm>

#include <fmt/format.h>

#include "client/pages.h"
#include "platform/process.h"
#include "platform/wait_word.h"

namespace snakepit::shm {

namespace {

// Longest sleep: so soon a manager that was killed and started again is asked anew.
constexpr std::int64_t kSliceMs = 250;

std::unique_ptr<wire::RegionKey> key_of(const RegionId& id) {
    return std::make_unique<wire::RegionKey>(to_wire(id));
}

// Rounded up, so that a wait is never cut short.
std::int64_t left_ms(std::int64_t deadline) {
    const auto nanos = std::max<std::int64_t>(0, deadline - monotonic_nanos());
    return nanos / 1'000'000 + (nanos % 1'000'000 > 0 ? 1 : 0);
}

Error about(Error error, const RegionId& id) {
    error.region_id = id.str();
    error.operation = "lock";
    return error;
}

Error timed_out(const RegionId& id, std::uint32_t timeout_ms) {
    return about(make_error(ErrorCode::timeout,
                            timeout_ms == 0 ? fmt::format("{} is locked", id.str())
                                            : fmt::format("{} could not be locked within {} ms",
                                                          id.str(), timeout_ms),
                            fmt::format("'snakepit-shm locks {}' shows by whom", id.str())),
                 id);
}

// The manager may have granted what we were never told of.
bool unclear(ErrorCode code) {
    return code == ErrorCode::no_manager || code == ErrorCode::timeout ||
           code == ErrorCode::protocol_error || code == ErrorCode::platform_error;
}

}  // namespace

std::uint32_t LockClient::next_request() {
    for (;;)
        if (const auto number = requests_.fetch_add(1, std::memory_order_relaxed) + 1; number != 0)
            return number;
}

template <typename Call>
Result<wire::ReplyT> LockClient::ask(Call call, bool* repeated) {
    // First: a forked copy's mutex may be held by nobody for ever.
    if (connection_.forked()) return fail(forked_error());
    wire::RequestT request;
    request.call.Set(std::move(call));
    const std::lock_guard held(mutex_);
    auto answer = connection_.call(std::move(request), repeated);
    tell_forsaken();
    if (!answer) return fail(std::move(answer).error());
    return std::move(answer->reply);
}

Result<wire::LockedT> LockClient::step(Attempt& attempt) {
    Result<wire::ReplyT> reply = [&] {
        if (attempt.ticket == 0) {
            wire::LockT call;
            call.id = key_of(attempt.id);
            call.mode = static_cast<std::uint8_t>(attempt.mode);
            call.timeout_ms = attempt.deadline == INT64_MAX
                                  ? kLockForever
                                  : static_cast<std::uint32_t>(std::min<std::int64_t>(
                                        left_ms(attempt.deadline), kLockForever - 1));
            call.thread = attempt.thread;
            call.request = attempt.request;
            return ask(std::move(call), &attempt.repeated);
        }
        if (left_ms(attempt.deadline) == 0) {
            wire::LockCancelT call;
            call.ticket = attempt.ticket;
            return ask(std::move(call), &attempt.repeated);
        }
        wire::LockWaitT call;
        call.ticket = attempt.ticket;
        return ask(std::move(call), &attempt.repeated);
    }();
    if (!reply) return fail(std::move(reply).error());
    const auto* locked = reply->answer.AsLocked();
    if (!locked) return unexpected_answer();
    return *locked;
}

Result<LockGrant> LockClient::lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms) {
    if (connection_.forked()) return fail(forked_error());
    if (!connection_.lease().valid())
        return fail(
            about(make_error(ErrorCode::invalid_argument, "this connection has no lease page",
                             "connect with one to lock regions"),
                  id));
    Attempt attempt{id, mode, current_thread(), next_request(), INT64_MAX};
    if (timeout_ms != kLockForever)
        attempt.deadline = monotonic_nanos() + std::int64_t{timeout_ms} * 1'000'000;
    for (;;) {
        // Before we ask: what is decided after the answer changes it.
        const auto seen = connection_.lease().wake().load(std::memory_order_acquire);
        const auto locked = step(attempt);
        if (!locked) {
            // Also when a clear refusal answers a second asking: the first may have been granted by
            // a manager that was killed, and the region been deallocated or sealed since.
            if (unclear(locked.error().code) || attempt.repeated) forsake(attempt);
            return fail(about(locked.error(), id));
        }
        switch (static_cast<LockState>(locked->state)) {
            case LockState::granted:
                return LockGrant{locked->token, locked->suspect};
            case LockState::timed_out:
                return fail(timed_out(id, timeout_ms));
            case LockState::queued:
                attempt.ticket = locked->ticket;
                wait_while(connection_.lease().wake(), seen,
                           static_cast<int>(std::min(left_ms(attempt.deadline), kSliceMs)));
                break;
            case LockState::unknown:
                // Another manager than the one that queued us. It is asked as if anew.
                attempt.ticket = 0;
                attempt.repeated = true;
                break;
            default:
                return unexpected_answer();
        }
    }
}

Status LockClient::unlock(const RegionId& id, std::uint64_t token) {
    wire::UnlockT call;
    call.id = key_of(id);
    call.token = token;
    call.request = next_request();
    bool repeated = false;
    auto answer = ask(std::move(call), &repeated);
    if (answer) return {};
    const auto code = answer.error().code;
    if (repeated && (code == ErrorCode::not_held || code == ErrorCode::region_not_found))
        return {};  // the first try did it
    return fail(std::move(answer).error());
}

Result<std::vector<RegionLocks>> LockClient::list(const std::string& filter) {
    return all_pages<RegionLocks>([&](std::uint32_t slot) -> Result<wire::LockedRegionsT> {
        wire::LocksT call;
        call.filter = filter;
        call.from_slot = slot;
        SHM_ASSIGN(auto reply, ask(std::move(call)));
        auto* page = reply.answer.AsLockedRegions();
        if (!page) return unexpected_answer();
        return std::move(*page);
    });
}

Result<RegionLocks> LockClient::release(const RegionId& id, std::uint64_t token) {
    wire::ReleaseLocksT call;
    call.id = key_of(id);
    call.token = token;
    SHM_ASSIGN(const auto reply, ask(std::move(call)));
    const auto* page = reply.answer.AsLockedRegions();
    if (!page || page->regions.size() != 1 || !page->regions.front()) return unexpected_answer();
    return from_wire(*page->regions.front());
}

// Sent behind the request itself where the connection stands, so the manager reads it afterwards;
// else as soon as there is one again.
void LockClient::forsake(const Attempt& attempt) {
    wire::LockForsakeT call;
    call.id = key_of(attempt.id);
    call.thread = attempt.thread;
    call.request = attempt.request;
    wire::RequestT request;
    request.call.Set(std::move(call));
    {
        const std::lock_guard held(forsaken_mutex_);
        forsaken_.push_back(std::move(request));
    }
    const std::unique_lock held(mutex_, std::try_to_lock);
    if (held) tell_forsaken();  // else whoever has it does, when it was answered
}

void LockClient::tell_forsaken() {
    const std::lock_guard held(forsaken_mutex_);
    while (!forsaken_.empty() && connection_.tell(forsaken_.back())) forsaken_.pop_back();
}

}  // namespace snakepit::shm
