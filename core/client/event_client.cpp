// SPDX-License-Identifier: MIT
#include "client/event_client.h"

#include <algorithm>

namespace snakepit::shm {

namespace {

constexpr int kRetryMs = 250;  // while no manager responds

// Only as long as a manager that runs needs: the program has other things to do.
Deadline at_once() {
    return Deadline::until(0, 0);
}

}  // namespace

EventClient::~EventClient() {
    if (set_.valid() && !connection_.forked()) ForkGuard::instance().leave(this);
}

void EventClient::after_fork_in_child() {
    set_.close();
    line_.reset();
}

Result<int> EventClient::descriptor() {
    if (connection_.forked()) return fail(forked_error());
    if (connection_.closed()) return fail(closed_error());
    if (!connection_.lease().valid())
        return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                    "use a connection with a lease page to wait for events");
    bool fresh = false;
    {
        const std::lock_guard held(mutex_);
        fresh = !set_.valid();
        if (fresh) {
            SHM_TRY(set_.open());
            if (line_) SHM_TRY(set_.add(line_));
            used_ = again_ = true;
            arm();
        }
    }
    if (fresh) ForkGuard::instance().enter(this);
    return set_.descriptor();
}

// Readable while there is something to do here.
void EventClient::arm() {
    if (!set_.valid()) return;
    const bool now =
        connection_.closed() || !ready_.empty() || !begun_.empty() || more_ || (again_ && !absent_);
    set_.wake_in(now ? 0 : absent_ ? kRetryMs : -1);
}

void EventClient::add(const ClientEvent& event) {
    const std::lock_guard held(mutex_);
    ready_.push_back(event);
}

void EventClient::begun(std::uint64_t ticket) {
    const std::lock_guard held(mutex_);
    if (!used_) return;
    begun_.push_back(ticket);
    arm();
}

void EventClient::reconnected() {
    const std::lock_guard held(mutex_);
    if (!used_) return;
    again_ = true;
    absent_ = false;
    arm();
}

void EventClient::closed() {
    const std::lock_guard held(mutex_);
    arm();
}

Result<std::optional<ClientEvent>> EventClient::next() {
    if (connection_.forked()) return fail(forked_error());
    const std::lock_guard refilling(refilling_);
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (connection_.closed()) return fail(closed_error());
        {
            const std::lock_guard held(mutex_);
            if (!used_) return std::optional<ClientEvent>();
            if (!ready_.empty()) {
                const auto event = ready_.front();
                ready_.pop_front();
                arm();
                return event;
            }
        }
        if (attempt > 0) break;
        const auto refilled = refill();
        const std::lock_guard held(mutex_);
        arm();
        if (!refilled && ready_.empty()) return fail(refilled.error());
    }
    return std::optional<ClientEvent>();
}

template <typename Call>
Result<Connection::Answer> EventClient::ask(Call call, bool* refused) {
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_ASSIGN(const auto held, connection_.lock(at_once()));
    auto answer = connection_.call(std::move(request));
    if (refused) *refused = connection_.refused();
    if (answer) answer->no_fork = {};
    return answer;
}

Status EventClient::refill() {
    std::vector<std::uint64_t> begun;
    {
        const std::lock_guard held(mutex_);
        begun.swap(begun_);
    }
    Status done;
    for (const auto ticket : begun)
        if (done) done = ask_lock(ticket);  // else all are asked for again
    {
        const std::lock_guard held(mutex_);
        again_ = again_ || !done;
        if (!ready_.empty()) return {};
    }
    if (done) done = refill_from_manager();
    if (done) {
        absent_since_ = 0;
        const std::lock_guard held(mutex_);
        absent_ = false;
        return {};
    }
    {
        const std::lock_guard held(mutex_);
        again_ = true;
    }
    if (done.error().code != ErrorCode::no_manager) return done;
    note_absence();
    look_without_manager();
    return {};
}

Status EventClient::refill_from_manager() {
    if (line_ && !take_rings(line_)) {
        const std::lock_guard held(mutex_);
        line_.reset();
    }
    if (!line_) SHM_TRY(open_line());
    bool again = false;
    {
        const std::lock_guard held(mutex_);
        again = std::exchange(again_, false);
    }
    if (again) SHM_TRY(ask_again());
    SHM_ASSIGN(const auto answer, ask(wire::TakeEventsT{}));
    const auto* events = answer.reply.answer.AsEvents();
    if (!events) return unexpected_answer();
    {
        const std::lock_guard held(mutex_);
        more_ = events->more;
        again_ = again_ || events->lost;
    }
    for (const auto& note : events->notes) {
        if (!note) continue;
        if (!note->lock)
            finish_wait(note->ticket, note->now, static_cast<ErrorCode>(note->code));
        else if (const auto ticket = locks_.ticket_of(static_cast<std::uint32_t>(note->ticket)))
            SHM_TRY(ask_lock(*ticket));
    }
    return {};
}

Status EventClient::open_line() {
    SHM_ASSIGN(auto answer, ask(wire::OpenEventsT{}));
    if (!answer.handle) return unexpected_answer();
    const std::lock_guard held(mutex_);
    line_ = std::move(answer.handle);
    again_ = true;
    if (!set_.valid()) return {};
    return set_.add(line_);
}

Status EventClient::ask_again() {
    std::unordered_map<std::uint64_t, Wait> waits;
    {
        const std::lock_guard held(mutex_);
        waits = waits_;
    }
    for (const auto ticket : locks_.tickets()) SHM_TRY(ask_lock(ticket));
    for (const auto& [ticket, wait] : waits) SHM_TRY(ask_wait(ticket, wait));
    return {};
}

Status EventClient::ask_lock(std::uint64_t ticket) {
    const auto patience = std::int64_t{connection_.patience_ms()} * 1'000'000;
    const bool last = absent_since_ != 0 && monotonic_nanos() - absent_since_ > patience;
    const auto polled = locks_.poll(ticket, last);
    if (!polled) return {};  // a thread waits with it, or it was cancelled
    if (polled->silent) return fail(ErrorCode::no_manager, "the manager does not respond");
    if (polled->outcome && !*polled->outcome) return {};
    ClientEvent event{.kind = ClientEvent::Kind::lock, .ticket = ticket, .id = polled->id};
    if (polled->outcome)
        event.granted = **polled->outcome;
    else
        event.code = polled->outcome.error().code;
    add(event);
    return {};
}

Status EventClient::ask_wait(std::uint64_t ticket, const Wait& wait) {
    wire::WatchT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(wait.id));
    call.since = wait.since;
    call.ticket = ticket;
    bool refused = false;
    const auto answer = ask(std::move(call), &refused);
    if (!answer) {
        if (refused) finish_wait(ticket, wait.since, answer.error().code);
        return refused ? Status() : fail(answer.error());
    }
    const auto* watched = answer->reply.answer.AsWatched();
    if (!watched) return unexpected_answer();
    if (watched->decided) finish_wait(ticket, watched->now, {});
    return {};
}

void EventClient::finish_wait(std::uint64_t ticket, std::uint64_t now, ErrorCode code) {
    const std::lock_guard held(mutex_);
    const auto wait = waits_.extract(ticket);
    if (!wait) return;
    ready_.push_back({.kind = ClientEvent::Kind::signal,
                      .ticket = ticket,
                      .id = wait.mapped().id,
                      .now = now,
                      .code = code});
}

void EventClient::note_absence() {
    if (absent_since_ == 0) absent_since_ = monotonic_nanos();
    const std::lock_guard held(mutex_);
    absent_ = true;
}

// Signal words need no manager.
void EventClient::look_without_manager() {
    std::unordered_map<std::uint64_t, Wait> waits;
    {
        const std::lock_guard held(mutex_);
        waits = waits_;
    }
    for (const auto& [ticket, wait] : waits)
        if (const auto now = counter_(wait.id); now && *now != wait.since)
            finish_wait(ticket, *now, {});
}

Result<std::uint64_t> EventClient::begin(const RegionId& id, std::uint64_t since) {
    if (connection_.forked()) return fail(forked_error());
    if (connection_.closed()) return fail(closed_error());
    const auto ticket = tickets_.fetch_add(1, std::memory_order_relaxed);
    const Wait wait{id, since};
    {
        const std::lock_guard held(mutex_);
        used_ = true;
        waits_.emplace(ticket, wait);
    }
    wire::WatchT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    call.since = since;
    call.ticket = ticket;
    const auto answer = ask(std::move(call));
    const auto* watched = answer ? answer->reply.answer.AsWatched() : nullptr;
    if (watched && watched->decided) finish_wait(ticket, watched->now, {});
    const bool unclear = !answer && answer.error().code == ErrorCode::no_manager;
    const std::lock_guard held(mutex_);
    if (!answer && !unclear) {
        waits_.erase(ticket);
        return fail(answer.error());
    }
    again_ = again_ || unclear;
    arm();
    return ticket;
}

// Not while its answer is on its way here: the event would come after the ticket was cancelled.
Status EventClient::cancel(std::uint64_t ticket) {
    if (connection_.forked()) return fail(forked_error());
    const std::lock_guard refilling(refilling_);
    std::optional<ClientEvent> event;
    bool waits = false;
    {
        const std::lock_guard held(mutex_);
        waits = waits_.erase(ticket) > 0;
        const auto found = std::find_if(ready_.begin(), ready_.end(),
                                        [&](const auto& one) { return one.ticket == ticket; });
        if (found != ready_.end()) {
            event = *found;
            ready_.erase(found);
            arm();
        }
    }
    if (event && event->granted) SHM_TRY(locks_.unlock(event->id, event->granted->token));
    if (waits && !connection_.closed()) {
        wire::WatchCancelT call;
        call.ticket = ticket;
        (void)ask(std::move(call));  // else its note is for nobody
    }
    return waits || event ? Status() : locks_.cancel(ticket);
}

}  // namespace snakepit::shm
