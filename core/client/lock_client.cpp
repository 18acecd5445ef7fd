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
constexpr int kSliceMs = 250;
// The delay after an unanswered request with a ticket.
constexpr int kSilenceMs = 1000;

std::unique_ptr<wire::RegionKey> key_of(const RegionId& id) {
    return std::make_unique<wire::RegionKey>(to_wire(id));
}

// Rounded up, so that a wait is never too short.
std::int64_t left_ms(std::int64_t deadline) {
    const auto nanos = std::max<std::int64_t>(0, deadline - monotonic_nanos());
    return nanos / 1'000'000 + (nanos % 1'000'000 > 0 ? 1 : 0);
}

Error about(Error error, const RegionId& id) {
    error.region_id = id.str();
    error.operation = "lock";
    return error;
}

Error timed_out(const RegionId& id) {
    return about(make_error(ErrorCode::timeout,
                            fmt::format("timed out waiting for the lock of {}", id.str()),
                            fmt::format("'snakepit-shm locks {}' shows its holders", id.str())),
                 id);
}

// The manager may have executed a request whose answer was lost.
bool unclear(ErrorCode code) {
    return code == ErrorCode::no_manager || code == ErrorCode::timeout ||
           code == ErrorCode::protocol_error || code == ErrorCode::platform_error ||
           code == ErrorCode::client_closed;
}

wire::RequestT unlock_request(const RegionId& id, std::uint64_t token, std::uint32_t number) {
    wire::UnlockT call;
    call.id = key_of(id);
    call.token = token;
    call.request = number;
    wire::RequestT request;
    request.call.Set(std::move(call));
    return request;
}

std::int64_t in_ms(int millis) {
    return monotonic_nanos() + std::int64_t{millis} * 1'000'000;
}

}  // namespace

std::uint32_t LockClient::next_request() {
    for (;;)
        if (const auto number = requests_.fetch_add(1, std::memory_order_relaxed) + 1; number != 0)
            return number;
}

template <typename Call>
Result<wire::ReplyT> LockClient::ask(Call call, const Deadline& deadline, bool* repeated) {
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_ASSIGN(const auto held, connection_.lock(deadline));
    auto answer = connection_.call(std::move(request), repeated);
    send_cancelled();
    if (!answer) return fail(std::move(answer).error());
    return std::move(answer->reply);
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
    made.request = next_request();
    made.answered_at = monotonic_nanos();
    return made;
}

Result<wire::LockedT> LockClient::step(Attempt& attempt, const Deadline& deadline) {
    Result<wire::ReplyT> reply = [&] {
        if (attempt.ticket == 0) {
            wire::LockT call;
            call.id = key_of(attempt.id);
            call.mode = static_cast<std::uint8_t>(attempt.mode);
            call.timeout_ms = attempt.deadline == INT64_MAX
                                  ? kLockForever
                                  : static_cast<std::uint32_t>(std::min<std::int64_t>(
                                        left_ms(attempt.deadline), kLockForever - 1));
            call.thread = attempt.owner;
            call.request = attempt.request;
            return ask(std::move(call), deadline, &attempt.repeated);
        }
        if (left_ms(attempt.deadline) == 0) {
            wire::LockCancelT call;
            call.ticket = attempt.ticket;
            return ask(std::move(call), deadline, &attempt.repeated);
        }
        wire::LockWaitT call;
        call.ticket = attempt.ticket;
        return ask(std::move(call), deadline, &attempt.repeated);
    }();
    if (!reply) return fail(std::move(reply).error());
    const auto* locked = reply->answer.AsLocked();
    if (!locked) return unexpected_answer();
    attempt.answered_at = monotonic_nanos();
    return *locked;
}

Result<std::optional<LockGrant>> LockClient::advance(Attempt& attempt, const Deadline& deadline) {
    for (;;) {
        // Read before the request: a decision after the answer changes it.
        attempt.seen = connection_.lease().wake().load(std::memory_order_acquire);
        attempt.ask_again = in_ms(kSliceMs);
        SHM_ASSIGN(const auto locked, step(attempt, deadline));
        switch (static_cast<LockState>(locked.state)) {
            case LockState::granted:
                note_granted(attempt.id, locked);
                return LockGrant{locked.token, locked.inconsistent};
            case LockState::timed_out:
                return fail(timed_out(attempt.id));
            case LockState::queued:
                attempt.ticket = locked.ticket;
                return std::optional<LockGrant>();
            case LockState::unknown:
                // A different manager than the one that queued us: send the request again.
                attempt.ticket = 0;
                attempt.repeated = true;
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
        const auto left = left_ms(end);
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
            cancel_unless_refused(asked, granted.error().code);
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
        begun_.emplace(asked.request, asked);
        return asked.request;
    }
    auto granted = advance(asked, Deadline::until(0, 0));
    if (!granted && granted.error().code != ErrorCode::no_manager) {
        cancel_unless_refused(asked, granted.error().code);
        return fail(about(granted.error(), id));
    }
    asked.repeated = !granted;
    if (granted) asked.granted = *granted;
    const std::lock_guard held(mutex_);
    begun_.emplace(asked.request, asked);
    return asked.request;
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
        const auto granted = advance(asked, Deadline::until(until, kSliceMs));
        if (granted && *granted) return *granted;
        const bool silent = !granted && granted.error().code == ErrorCode::no_manager &&
                            monotonic_nanos() - asked.answered_at <
                                std::int64_t{connection_.patience_ms()} * 1'000'000;
        if (!granted && !silent) {
            cancel_unless_refused(asked, granted.error().code);
            return fail(about(granted.error(), asked.id));
        }
        if (silent) {  // the request may have been granted
            asked.repeated = true;
            asked.ask_again = in_ms(kSilenceMs);
        }
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
        cancel_unless_refused(asked, polled.outcome.error().code);
        return polled;
    }
    asked.repeated = asked.repeated || polled.silent;
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
    const auto granted = advance(asked, Deadline::until(0, 0));
    if (granted && *granted) return unlock(asked.id, (*granted)->token);
    if (granted || granted.error().code == ErrorCode::timeout) return {};
    cancel_unless_refused(asked, granted.error().code);
    return fail(about(granted.error(), asked.id));
}

// ------------------------------------------------------------- giving back

std::optional<RegionId> LockClient::locked_with(std::uint64_t token) {
    const std::lock_guard held(mutex_);
    const auto found = held_.find(token);
    return found == held_.end() ? locked_here_with(token) : std::optional(found->second.id);
}

Status LockClient::unlock_asking(const RegionId& id, std::uint64_t token) {
    if (connection_.forked()) return fail(forked_error());
    bool repeated = false;
    const auto number = begin_unlock(token, repeated);
    auto asked = unlock_request(id, token, number);
    auto answer = ask(std::move(*asked.call.AsUnlock()), connection_.usual(), &repeated);
    if (answer) return {};
    const auto code = answer.error().code;
    if (repeated && (code == ErrorCode::not_held || code == ErrorCode::region_not_found))
        return {};  // the first attempt succeeded
    if (!unclear(code)) return fail(std::move(answer).error());
    if (tell_later({token, number, unlock_request(id, token, number)}) &&
        code == ErrorCode::client_closed)
        return {};
    auto error = about(std::move(answer).error(), id);
    error.operation = "unlock";
    error.remedy =
        "no action is needed: the next manager that this client reaches releases the lock";
    return fail(std::move(error));
}

// The number of the request. `repeated`: it repeats the release of the last level, which no manager
// answered.
std::uint32_t LockClient::begin_unlock(std::uint64_t token, bool& repeated) {
    const std::lock_guard held(mutex_);
    if (const auto found = held_.find(token); found != held_.end()) {
        if (--found->second.levels == 0) held_.erase(found);
        return next_request();
    }
    const auto cancelled =
        std::find_if(cancelled_.begin(), cancelled_.end(),
                     [&](const CancelledRequest& one) { return one.token == token; });
    if (cancelled == cancelled_.end()) return next_request();
    repeated = true;
    const auto number = cancelled->request;
    cancelled_.erase(cancelled);
    return number;
}

Result<std::vector<RegionLocks>> LockClient::list(const std::string& filter) {
    return all_pages<RegionLocks>([&](std::uint32_t slot) -> Result<wire::LockedRegionsT> {
        wire::LocksT call;
        call.filter = filter;
        call.from_slot = slot;
        SHM_ASSIGN(auto reply, ask(std::move(call), connection_.usual()));
        auto* page = reply.answer.AsLockedRegions();
        if (!page) return unexpected_answer();
        return std::move(*page);
    });
}

Result<RegionLocks> LockClient::release(const RegionId& id, std::uint64_t token) {
    wire::ReleaseLocksT call;
    call.id = key_of(id);
    call.token = token;
    SHM_ASSIGN(const auto reply, ask(std::move(call), connection_.usual()));
    const auto* page = reply.answer.AsLockedRegions();
    if (!page || page->regions.size() != 1 || !page->regions.front()) return unexpected_answer();
    return from_wire(*page->regions.front());
}

void LockClient::cancel_unless_refused(const Attempt& attempt, ErrorCode code) {
    if (unclear(code) || attempt.repeated) cancel_request(attempt);
}

// Sent after the request itself if the connection still exists, so that the manager reads it
// afterwards; otherwise as soon as there is a connection.
void LockClient::cancel_request(const Attempt& attempt) {
    wire::LockRequestCancelT call;
    call.id = key_of(attempt.id);
    call.thread = attempt.owner;
    call.request = attempt.request;
    CancelledRequest one;
    one.request = attempt.request;
    one.frame.call.Set(std::move(call));
    tell_later(std::move(one));
}

// True: it was sent at once. Otherwise the thread with the connection sends it, or the next
// connection does.
bool LockClient::tell_later(CancelledRequest one) {
    const auto number = one.request;
    {
        const std::lock_guard held(mutex_);
        cancelled_.push_back(std::move(one));
    }
    if (const auto held = connection_.try_lock()) send_cancelled();
    const std::lock_guard held(mutex_);
    return std::none_of(cancelled_.begin(), cancelled_.end(),
                        [&](const CancelledRequest& other) { return other.request == number; });
}

void LockClient::send_cancelled() {
    const std::lock_guard held(mutex_);
    std::erase_if(cancelled_,
                  [&](const CancelledRequest& one) { return connection_.tell(one.frame); });
}

}  // namespace snakepit::shm
