// SPDX-License-Identifier: MIT
// Releases, and what was not answered: nothing may stay locked that the program does not count.
#include "client/lock_client.h"

namespace snakepit::shm {

namespace {

// The manager may have executed a request whose answer was lost.
bool unclear(ErrorCode code) {
    return code == ErrorCode::no_manager || code == ErrorCode::timeout ||
           code == ErrorCode::protocol_error || code == ErrorCode::platform_error ||
           code == ErrorCode::client_closed;
}

wire::UnlockT unlock_call(const RegionId& id, std::uint64_t token, std::uint32_t number) {
    wire::UnlockT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    call.token = token;
    call.request = number;
    return call;
}

bool is_release_of(const wire::RequestT& frame, const RegionId& id) {
    const auto* release = frame.call.AsUnlock();
    return release && release->id && from_wire(*release->id) == id;
}

}  // namespace

std::uint32_t LockClient::next_number(std::atomic<std::uint32_t>& counter) {
    for (;;)
        if (const auto number = counter.fetch_add(1, std::memory_order_relaxed) + 1; number != 0)
            return number;
}

Status LockClient::unlock_asking(const RegionId& id, std::uint64_t token) {
    if (connection_.forked()) return fail(forked_error());
    auto held = connection_.lock(connection_.usual());
    // The release of the last level may be repeated, if no manager answered it.
    const auto earlier = unanswered_release(id);
    const bool again = !count_down(token) && earlier && earlier->group == token;
    return release_asking(id, unlock_call(id, token, next_number(requests_)), std::move(held),
                          again);
}

Status LockClient::abandon(const RegionId& id, std::uint64_t token) {
    if (connection_.forked()) return fail(forked_error());
    auto call = unlock_call(id, token, next_number(requests_));
    call.abandoned = true;
    auto given = release_asking(id, std::move(call), connection_.lock(connection_.usual()), false);
    if (Delegations::Known known; delegations_.find(id, known)) take_over(id, known);
    const std::lock_guard own(mutex_);
    held_.erase(token);
    return given;
}

Status LockClient::release_asking(const RegionId& id, wire::UnlockT call,
                                  Result<Connection::Lock> held, bool again) {
    const auto token = call.token;
    wire::RequestT request;
    request.call.Set(std::move(call));
    const auto released = [&]() -> Status {
        if (!held) return fail(held.error());
        SHM_TRY(settle(id));
        return again ? Status() : send_release(request);
    }();
    if (released || !unclear(released.error().code)) return released;
    if (!again) {
        const std::lock_guard own(mutex_);
        cancel_unanswered(id, 0);
        connection_.outbox().post(std::move(request), token);
    }
    if (held)
        held->unlock();
    else
        connection_.send_posted();
    const auto left = unanswered_release(id);
    if (released.error().code == ErrorCode::client_closed && (!left || left->sent)) return {};
    auto error = about(released.error(), id);
    error.operation = "unlock";
    error.remedy =
        "no action is needed: the next manager that this client reaches releases the lock";
    return fail(std::move(error));
}

Status LockClient::send_release(const wire::RequestT& request) {
    bool repeated = false;
    const auto answer = connection_.call(request, &repeated);
    if (answer) return {};
    const auto code = answer.error().code;
    if (repeated && (code == ErrorCode::not_held || code == ErrorCode::region_not_found))
        return {};  // the first attempt succeeded
    return fail(answer.error());
}

bool LockClient::count_down(std::uint64_t token) {
    const std::lock_guard held(mutex_);
    const auto found = held_.find(token);
    if (found == held_.end()) return false;
    if (--found->second.levels == 0) held_.erase(found);
    return true;
}

// ---------------------------------------------------------------- uncertain

std::optional<Outbox::Message> LockClient::unanswered_release(const RegionId& id) {
    return connection_.outbox().find(
        [&](const Outbox::Message& one) { return is_release_of(one.frame, id); });
}

Status LockClient::settle(const RegionId& id, std::uint32_t except) {
    {
        const std::lock_guard held(mutex_);
        cancel_unanswered(id, except);
    }
    while (const auto release = unanswered_release(id)) {
        const auto number = release->frame.call.AsUnlock()->request;
        const auto answer = connection_.call(release->frame);
        if (!answer && !connection_.refused()) return fail(answer.error());
        connection_.outbox().erase([&](const Outbox::Message& one) {
            const auto* other = one.frame.call.AsUnlock();
            return other && other->request == number;
        });
    }
    return {};
}

void LockClient::cancel_unanswered(const RegionId& id, std::uint32_t except) {
    std::erase_if(outstanding_, [&](const auto& entry) {
        const auto& [request, one] = entry;
        if (!one.unanswered || one.id != id || request == except) return false;
        cancel_request(request, one);
        return true;
    });
}

void LockClient::cancel_request(std::uint32_t request, const Outstanding& one) {
    wire::LockRequestCancelT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(one.id));
    call.thread = one.owner;
    call.request = request;
    wire::RequestT frame;
    frame.call.Set(std::move(call));
    connection_.outbox().post_first(std::move(frame));
}

void LockClient::give_up(const Attempt& attempt) {
    {
        const std::lock_guard held(mutex_);
        const auto found = outstanding_.find(attempt.request);
        if (found == outstanding_.end()) return;
        cancel_request(attempt.request, found->second);
        outstanding_.erase(found);
    }
    connection_.send_posted();
}

// The next manager knows of grants, but not of requests that wait.
void LockClient::reconnected() {
    const std::lock_guard held(mutex_);
    for (const auto& [request, one] : outstanding_) cancel_request(request, one);
    outstanding_.clear();
}

// A number for the request, a new one if it was cancelled meanwhile.
void LockClient::enlist(Attempt& attempt) {
    const std::lock_guard held(mutex_);
    if (outstanding_.contains(attempt.request)) return;
    attempt.request = next_number(requests_);
    attempt.ticket = 0;
    outstanding_[attempt.request] = {attempt.id, attempt.owner, attempt.number, false};
}

// `decided`: granted or not, the manager has nothing of it any more that the client does not know.
void LockClient::note_answer(const Attempt& attempt, const wire::LockedT* locked, bool decided) {
    const std::lock_guard held(mutex_);
    if (decided) {
        outstanding_.erase(attempt.request);
        return;
    }
    const bool lost = locked && static_cast<LockState>(locked->state) == LockState::unknown;
    if (lost && !outstanding_.contains(attempt.request)) return;  // cancelled
    const bool queued = locked && !lost;
    outstanding_[attempt.request] = {attempt.id, attempt.owner, attempt.number, !queued};
    // Another thread, without the connection, left a release that must not come before.
    if (!queued && unanswered_release(attempt.id)) cancel_unanswered(attempt.id, 0);
}

}  // namespace snakepit::shm
