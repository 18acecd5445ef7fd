// SPDX-License-Identifier: MIT
#include "client/lock_client.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/lock_owner.h"
#include "client/pages.h"
#include "platform/wait_word.h"

namespace snakepit::shm {

namespace {

// Longest sleep: the delay until a restarted manager is asked again.
constexpr int kLockSliceMs = 250;
// The delay after an unanswered request with a ticket.
constexpr int kSilenceMs = 1000;

// Rounded up, so that a wait is never too short.
std::int64_t left_millis(std::int64_t deadline) {
    const auto nanos = std::max<std::int64_t>(0, deadline - monotonic_nanos());
    return nanos / 1'000'000 + (nanos % 1'000'000 > 0 ? 1 : 0);
}

Error timed_out(const RegionId& id) {
    return make_error(ErrorCode::timeout,
                      fmt::format("timed out waiting for the lock of {}", id.str()),
                      fmt::format("'snakepit-shm locks {}' shows its holders", id.str()));
}

std::int64_t in_ms(int millis) {
    return monotonic_nanos() + std::int64_t{millis} * 1'000'000;
}

}  // namespace

template <typename Call>
Result<wire::ReplyT> LockClient::ask(Call call) {
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_ASSIGN(const auto held, connection_.lock(connection_.usual()));
    auto answer = connection_.call(std::move(request));
    if (!answer) return fail(std::move(answer).error());
    return std::move(answer->reply);
}

Error LockClient::about(Error error, const RegionId& id) {
    error.region_id = id.str();
    error.operation = "lock";
    return error;
}

// ------------------------------------------------------------------- asking

Result<LockClient::Attempt> LockClient::attempt(const RegionId& id, AccessMode mode,
                                                std::uint32_t owner) {
    if (owner != 0 && is_thread(owner))
        return fail(
            about(make_error(ErrorCode::invalid_argument, fmt::format("{} may be a thread", owner),
                             fmt::format("use 0 for the calling thread, or a number of at least {}",
                                         kFirstOwner)),
                  id));
    if (connection_.forked()) return fail(forked_error());
    if (connection_.closed()) return fail(about(closed_error(), id));
    if (!connection_.lease().valid())
        return fail(
            about(make_error(ErrorCode::invalid_argument, "this connection has no lease page",
                             "use a connection with a lease page to lock regions"),
                  id));
    Attempt made;
    made.id = id;
    made.mode = mode;
    made.owner = owner != 0 ? owner : this_thread();
    made.number = next_number(numbers_);
    made.answered_at = monotonic_nanos();
    return made;
}

wire::RequestT LockClient::request_of(const Attempt& attempt) const {
    wire::RequestT request;
    if (attempt.ticket == 0) {
        wire::LockT call;
        call.id = std::make_unique<wire::RegionKey>(to_wire(attempt.id));
        call.mode = static_cast<std::uint8_t>(attempt.mode);
        call.timeout_ms = attempt.deadline == INT64_MAX
                              ? kLockForever
                              : static_cast<std::uint32_t>(std::min<std::int64_t>(
                                    left_millis(attempt.deadline), kLockForever - 1));
        call.thread = attempt.owner;
        call.request = attempt.request;
        request.call.Set(std::move(call));
    } else if (left_millis(attempt.deadline) == 0) {
        wire::LockCancelT call;
        call.ticket = attempt.ticket;
        request.call.Set(std::move(call));
    } else {
        wire::LockWaitT call;
        call.ticket = attempt.ticket;
        request.call.Set(std::move(call));
    }
    return request;
}

Result<wire::LockedT> LockClient::step(Attempt& attempt, const Deadline& deadline) {
    SHM_ASSIGN(const auto held, connection_.lock(deadline));
    SHM_TRY(settle(attempt.id, attempt.request));
    enlist(attempt);
    const bool repeated = [&] {
        const std::lock_guard own(mutex_);
        return outstanding_[attempt.request].unanswered;
    }();
    const auto answer = connection_.call(request_of(attempt));
    const auto* locked = answer ? answer->reply.answer.AsLocked() : nullptr;
    const auto state = locked ? static_cast<LockState>(locked->state) : LockState::unknown;
    // Refused when it is repeated, it may have been granted before: the region may have been
    // deallocated or sealed since.
    note_answer(attempt, locked,
                locked ? state == LockState::granted || state == LockState::timed_out
                       : connection_.refused() && !repeated);
    if (!answer) return fail(answer.error());
    if (!locked) return unexpected_answer();
    attempt.answered_at = monotonic_nanos();
    return *locked;
}

Result<std::optional<LockGrant>> LockClient::advance(Attempt& attempt, const Deadline& deadline) {
    for (;;) {
        // Read before the request: a decision after the answer changes it.
        attempt.seen = connection_.lease().wake().load(std::memory_order_acquire);
        attempt.ask_again = in_ms(kLockSliceMs);
        SHM_ASSIGN(const auto locked, step(attempt, deadline));
        switch (static_cast<LockState>(locked.state)) {
            case LockState::granted:
                note_granted(attempt.id, locked);
                return LockGrant{locked.token, locked.inconsistent};
            case LockState::timed_out:
                return fail(about(timed_out(attempt.id), attempt.id));
            case LockState::queued:
                attempt.ticket = locked.ticket;
                return std::optional<LockGrant>();
            case LockState::unknown:
                // A different manager than the one that queued us: send the request again.
                attempt.ticket = 0;
                break;
            default:
                return unexpected_answer();
        }
    }
}

void LockClient::rest(const Attempt& attempt, std::int64_t until, bool once) const {
    const auto& word = connection_.lease().wake();
    const auto end = std::min(until, attempt.ask_again);
    while (word.load(std::memory_order_acquire) == attempt.seen && !connection_.closed()) {
        const auto left = left_millis(end);
        if (left == 0) return;
        wait_while(word, attempt.seen, static_cast<int>(left));
        if (once) return;
    }
}

Result<LockGrant> LockClient::lock_asking(const RegionId& id, AccessMode mode,
                                          std::uint32_t timeout_ms, std::uint32_t owner) {
    SHM_ASSIGN(auto asked, attempt(id, mode, owner));
    if (timeout_ms != kLockForever)
        asked.deadline = monotonic_nanos() + std::int64_t{timeout_ms} * 1'000'000;
    for (;;) {
        const auto granted =
            advance(asked, Deadline::until(asked.deadline, connection_.patience_ms()));
        if (!granted) {
            give_up(asked);
            return fail(about(granted.error(), id));
        }
        if (*granted) return **granted;
        rest(asked, asked.deadline, false);
    }
}

// ------------------------------------------------------------------ tickets

Result<LockClient::Attempt> LockClient::take_attempt(std::uint64_t ticket) {
    const std::lock_guard held(mutex_);
    const auto found = begun_.find(ticket);
    if (found == begun_.end())
        return fail(ErrorCode::not_held,
                    "this ticket was already used, or another thread is waiting with it",
                    "begin a new request, and wait for it in one thread only");
    auto taken = std::move(found->second);
    begun_.erase(found);
    return taken;
}

// Waiting for an absent manager is done with the ticket, not here.
Result<std::uint64_t> LockClient::begin(const RegionId& id, AccessMode mode, std::uint32_t owner) {
    SHM_ASSIGN(auto asked, attempt(id, mode, owner));
    if (LockGrant here; lock_here(id, mode, owner, here.token)) {
        asked.granted = here;
        const std::lock_guard held(mutex_);
        begun_.emplace(asked.number, asked);
        return asked.number;
    }
    auto granted = advance(asked, Deadline::until(0, 0));
    if (!granted && granted.error().code != ErrorCode::no_manager) {
        give_up(asked);
        return fail(about(granted.error(), id));
    }
    if (granted) asked.granted = *granted;
    const std::lock_guard held(mutex_);
    begun_.emplace(asked.number, asked);
    return asked.number;
}

Result<std::optional<LockGrant>> LockClient::wait(std::uint64_t ticket, std::uint32_t timeout_ms) {
    if (connection_.forked()) return fail(forked_error());
    SHM_ASSIGN(auto asked, take_attempt(ticket));
    if (asked.granted) return asked.granted;
    const auto until = timeout_ms == kLockForever
                           ? INT64_MAX
                           : monotonic_nanos() + std::int64_t{timeout_ms} * 1'000'000;
    const auto due = [&] {
        return monotonic_nanos() >= asked.ask_again || connection_.closed() ||
               connection_.lease().wake().load(std::memory_order_acquire) != asked.seen;
    };
    if (!due()) rest(asked, until, true);
    if (due()) {
        const auto granted = advance(asked, Deadline::until(until, kLockSliceMs));
        if (granted && *granted) return *granted;
        const bool silent = !granted && granted.error().code == ErrorCode::no_manager &&
                            monotonic_nanos() - asked.answered_at <
                                std::int64_t{connection_.patience_ms()} * 1'000'000;
        if (!granted && !silent) {
            give_up(asked);
            return fail(about(granted.error(), asked.id));
        }
        if (silent) asked.ask_again = in_ms(kSilenceMs);
    }
    const std::lock_guard held(mutex_);
    begun_.emplace(ticket, asked);
    return std::optional<LockGrant>();
}

std::optional<LockClient::Polled> LockClient::poll(std::uint64_t ticket, bool last) {
    auto taken = take_attempt(ticket);
    if (!taken) return std::nullopt;
    auto& asked = *taken;
    if (asked.granted) return Polled{asked.id, asked.granted};
    Polled polled{asked.id, advance(asked, Deadline::until(0, 0))};
    if (polled.outcome && *polled.outcome) return polled;
    polled.silent =
        !polled.outcome && polled.outcome.error().code == ErrorCode::no_manager && !last;
    if (!polled.outcome && !polled.silent) {
        give_up(asked);
        return polled;
    }
    const std::lock_guard held(mutex_);
    begun_.emplace(ticket, asked);
    return polled;
}

std::vector<std::uint64_t> LockClient::tickets() {
    std::vector<std::uint64_t> out;
    const std::lock_guard held(mutex_);
    for (const auto& [ticket, attempt] : begun_) out.push_back(ticket);
    return out;
}

Status LockClient::cancel(std::uint64_t ticket) {
    if (connection_.forked()) return fail(forked_error());
    SHM_ASSIGN(auto asked, take_attempt(ticket));
    if (asked.granted) return unlock(asked.id, asked.granted->token);
    asked.deadline = 0;
    for (;;) {
        const auto granted = advance(asked, Deadline::until(0, 0));
        if (granted && *granted) return unlock(asked.id, (*granted)->token);
        if (granted) continue;  // it was queued, which was not known here
        give_up(asked);
        if (granted.error().code == ErrorCode::timeout) return {};
        return fail(about(granted.error(), asked.id));
    }
}

std::optional<std::uint64_t> LockClient::ticket_of(std::uint32_t request) {
    const std::lock_guard held(mutex_);
    const auto found = outstanding_.find(request);
    return found == outstanding_.end() ? std::nullopt : std::optional(found->second.number);
}

// ------------------------------------------------------------- giving back

std::optional<RegionId> LockClient::locked_with(std::uint64_t token) {
    const std::lock_guard held(mutex_);
    const auto found = held_.find(token);
    return found == held_.end() ? locked_here_with(token) : std::optional(found->second.id);
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
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    call.token = token;
    SHM_ASSIGN(const auto reply, ask(std::move(call)));
    const auto* page = reply.answer.AsLockedRegions();
    if (!page || page->regions.size() != 1 || !page->regions.front()) return unexpected_answer();
    return from_wire(*page->regions.front());
}

}  // namespace snakepit::shm
