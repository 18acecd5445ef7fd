// SPDX-License-Identifier: MIT
#include "regions/lock_manager.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/filter.h"
#include "base/lock_owner.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kNamedEdges = 4;  // of one waiter
// Of a frame, roughly.
constexpr std::size_t kRegionBytes = 128, kHolderBytes = 96, kWaiterBytes = 128;

Status may_lock(const Caller& caller) {
    if (caller.client) return {};
    return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                "connect with one to lock regions");
}

Error not_held(const RegionId& id) {
    return make_error(ErrorCode::not_held,
                      fmt::format("this program has no lock on {} with that token", id.str()),
                      "give each lock back once, with the token it was granted with");
}

}  // namespace

// ------------------------------------------------------------------- people

std::string LockManager::name_of(const LockOwner& owner) const {
    const auto* record = clients_.find_record(owner.serial);
    if (!record) return "a program that has ended";
    const bool main_thread = owner.thread == static_cast<std::uint64_t>(record->pid);
    return main_thread
               ? fmt::format("{} ({})", record->process, record->pid)
               : fmt::format("{} ({}, {})", record->process, record->pid, owner_name(owner.thread));
}

LockHolder LockManager::describe(const Synchronizer::Held& held, bool with_token) const {
    const auto* record = clients_.find_record(held.owner().serial);
    return {record ? record->pid : 0,
            record ? record->process : "",
            held.lock.thread,
            held.writes() ? AccessMode::read_write : AccessMode::read_only,
            held.levels.depth(),
            {held.lock.since},
            with_token ? held.lock.token : 0,
            record ? record->worker : ""};
}

RegionLocks LockManager::describe(std::uint32_t slot, bool with_tokens) const {
    RegionLocks out;
    out.id = registry_.id(slot);
    out.inconsistent = registry_.control(slot).inconsistent;
    const auto holders = synchronizer_.holders(slot);
    const auto waiters = synchronizer_.waiters(slot);
    out.holder_count = holders.size();
    out.waiter_count = waiters.size();
    for (std::size_t i = 0; i < std::min(holders.size(), kNamedLockers); ++i)
        out.holders.push_back(describe(holders[i], with_tokens));
    for (std::size_t i = 0; i < std::min(waiters.size(), kNamedLockers); ++i) {
        const auto& waiter = waiters[i];
        const auto* record = clients_.find_record(waiter.owner.serial);
        LockWaiter one{record ? record->pid : 0,
                       record ? record->process : "",
                       waiter.owner.thread,
                       waiter.mode,
                       {waiter.since},
                       {},
                       record ? record->worker : ""};
        for (const auto& edge : synchronizer_.waits_for(waiter.owner, kNamedEdges))
            if (const auto* other = clients_.find_record(edge.to.serial))
                one.waits_for.push_back(other->pid);
        out.waiters.push_back(std::move(one));
    }
    return out;
}

Error LockManager::deadlock_error(const Caller& caller, const RegionId& id,
                                  const LockAnswer& answer) {
    std::string sentence;
    std::string pids;
    const auto pid = [&](const LockOwner& owner) {
        const auto* record = clients_.find_record(owner.serial);
        return record ? record->pid : 0;
    };
    for (const auto& edge : answer.cycle) {
        sentence += fmt::format("{}{} waits for {}, which {} {}", sentence.empty() ? "" : "; ",
                                name_of(edge.from), registry_.id(edge.slot).str(), name_of(edge.to),
                                edge.held ? "has" : "asked for before");
        pids += fmt::format("{} > ", pid(edge.from));
    }
    pids += fmt::format("{}", pid(answer.cycle.front().from));
    registry_.record(answer.slot, event_by(caller, {.kind = EventKind::deadlock,
                                                    .result = ErrorCode::deadlock,
                                                    .text = pids}));
    return make_error(ErrorCode::deadlock,
                      fmt::format("waiting for {} would never end: {}", id.str(), sentence),
                      "release what you hold and start again; take locks in one order everywhere");
}

// The slot of a region that was withdrawn may be another's by now, so it is not named.
Result<LockReply> LockManager::reply_to(const Caller& caller, const LockAnswer& answer) {
    if (answer.state == LockState::withdrawn)
        return fail(
            refusals_.refuse(caller,
                             make_error(ErrorCode::region_not_found,
                                        "the region was deallocated while it was waited for",
                                        "allocate a new region"),
                             "lock", {}));
    const bool granted = answer.state == LockState::granted;
    LockReply reply{answer.state, answer.token, answer.ticket};
    if (const auto& told = answer.delegation)
        reply.delegation = {answer.slot, told->base, told->writable};
    reply.inconsistent = granted && registry_.control(answer.slot).inconsistent;
    return reply;
}

bool LockManager::may_delegate(const Caller& caller, std::uint32_t slot) const {
    const auto word = registry_.control(slot);
    const auto& body = registry_.body(slot);
    return caller.client && word.state == SlotState::live && !word.withdrawn && !word.damaged &&
           !word.inconsistent && (body.flags & (kAudited | kSealPending | kPolicyPending)) == 0 &&
           static_cast<SecurityLevel>(body.security_level) == SecurityLevel::standard;
}

Result<LockReply> LockManager::lock(const Caller& caller, const LockCall& call) {
    return refusals_.check(caller, "lock", call.id, [&]() -> Result<LockReply> {
        SHM_TRY(may_lock(caller));
        if (call.request == 0)
            return fail(ErrorCode::protocol_error, "the request for a lock has no number");
        SHM_ASSIGN(const auto slot, encrypted_.may_finish(caller, call.id)
                                        ? find_region(registry_, call.id)
                                        : directory_.openable(caller, call.id, call.mode));
        const auto deadline = call.timeout_ms == kLockForever
                                  ? LockRequest::kForever
                                  : monotonic_nanos() + std::int64_t{call.timeout_ms} * 1'000'000;
        LockRequest request{slot,
                            registry_.control(slot).generation,
                            LockOwner{caller.serial, call.thread},
                            call.mode,
                            call.request,
                            deadline};
        if (may_delegate(caller, slot)) request.page = caller.client;
        request.process = clients_.process_of(caller.serial);
        SHM_ASSIGN(const auto answer, synchronizer_.ask(request));
        notify_settled();
        stats_.counters.deadlocks += answer.state == LockState::deadlock ? 1 : 0;
        if (answer.state == LockState::deadlock)
            return fail(deadlock_error(caller, call.id, answer));
        if (answer.state == LockState::granted) lifecycle_.refresh(slot);
        return reply_to(caller, answer);
    }());
}

Result<LockReply> LockManager::wait(const Caller& caller, std::uint64_t ticket) {
    auto answer = synchronizer_.poll(caller.serial, ticket);
    if (answer.state == LockState::granted && may_delegate(caller, answer.slot))
        answer.delegation =
            synchronizer_.lend(caller.serial, answer.slot, answer.token, *caller.client,
                               monotonic_nanos() + Synchronizer::kLoan);
    return reply_to(caller, answer);
}

Result<LockReply> LockManager::cancel(const Caller& caller, std::uint64_t ticket) {
    const auto answer = synchronizer_.cancel(caller.serial, ticket);
    notify_settled();
    return reply_to(caller, answer);
}

void LockManager::cancel_request(const Caller& caller, const RegionId& id, std::uint32_t thread,
                                 std::uint32_t request) {
    const auto slot = registry_.find(id);
    if (!slot || !caller.client || request == 0) return;
    synchronizer_.absorb_of(caller.serial, *slot);
    synchronizer_.cancel_request(*slot, {caller.serial, thread}, request);
    notify_settled();
    lifecycle_.released(*slot, registry_.control(*slot).generation);
}

Status LockManager::unlock(const Caller& caller, const RegionId& id, std::uint64_t token,
                           std::uint32_t request) {
    return refusals_.check(caller, "unlock", id, [&]() -> Status {
        SHM_ASSIGN(const auto slot, find_region(registry_, id));
        synchronizer_.absorb_of(caller.serial, slot);
        const auto held = synchronizer_.find(caller.serial, slot, token);
        if (!caller.client || !held) return fail(not_held(id));
        auto word = registry_.control(slot);
        if (word.inconsistent && held->levels.write == 1 && held->levels.request != request) {
            word.inconsistent = false;
            registry_.commit(slot, word, event_by(caller, {.kind = EventKind::lock_acknowledged}));
        }
        synchronizer_.unlock(*held, request);
        notify_settled();
        lifecycle_.released(slot, word.generation);
        return {};
    }());
}

Status LockManager::abandon(const Caller& caller, const RegionId& id, std::uint64_t token) {
    return refusals_.check(caller, "abandon", id, [&]() -> Status {
        SHM_ASSIGN(const auto slot, find_region(registry_, id));
        synchronizer_.absorb_of(caller.serial, slot);
        const auto held = synchronizer_.find(caller.serial, slot, token);
        if (!caller.client || !held) return fail(not_held(id));
        if (held->writes())
            mark_inconsistent(slot, event_by(caller, {.kind = EventKind::lock_broken,
                                                      .text = name_of(held->owner())}));
        synchronizer_.release(*held);
        notify_settled();
        lifecycle_.released(slot, registry_.control(slot).generation);
        return {};
    }());
}

// --------------------------------------------------------------------- ends

void LockManager::mark_inconsistent(std::uint32_t slot, const Event& event) {
    if (slot >= registry_.frontier()) return;
    auto word = registry_.control(slot);
    if (word.inconsistent || !word.occupied()) return;
    word.inconsistent = true;
    registry_.commit(slot, word, event);
}

void LockManager::notify_settled() {
    const auto at = registry_.time();
    for (const auto& settled : synchronizer_.take_settled()) {
        const auto* record = clients_.find_record(settled.owner.serial);
        stats_.counters.lock_timeouts += settled.state == LockState::timed_out ? 1 : 0;
        if (settled.state == LockState::granted)
            registry_.timed(Timed::lock_wait).add(settled.waited);
        if (!record) continue;
        if (settled.state == LockState::granted) lifecycle_.refresh(settled.slot, 0, at);
        if (settled.state == LockState::timed_out)
            registry_.record(settled.slot, event_by(*record, {.kind = EventKind::lock_timed_out,
                                                              .result = ErrorCode::timeout}));
        counter_.wake(*clients_.find(settled.owner.serial));
        state_.events.add(settled.owner.serial, {.lock = true, .ticket = settled.request});
    }
}

void LockManager::dismiss_waiters(std::uint32_t slot) {
    synchronizer_.dismiss(slot);
    notify_settled();
}

void LockManager::expire_waits() {
    synchronizer_.expire(monotonic_nanos());
    notify_settled();
}

bool LockManager::end_loans() {
    const bool more = synchronizer_.end_loans(monotonic_nanos());
    notify_settled();
    return more;
}

void LockManager::add_holdings(std::uint64_t serial, ReferenceCounter::ClientHoldings& left) {
    synchronizer_.absorb_client(serial);
    for (const auto& held : synchronizer_.held_by(serial)) {
        left.slots.push_back({held.lock.slot, 0});
        ++left.references;
    }
}

void LockManager::drop(const ClientRecord& record, std::uint64_t serial) {
    synchronizer_.absorb_client(serial);
    for (const auto& held : synchronizer_.held_by(serial))
        if (held.writes())
            mark_inconsistent(held.lock.slot, event_by(record, {.kind = EventKind::lock_broken}));
    synchronizer_.drop(serial);
    notify_settled();
}

// Clients that ended while no manager ran were dropped like any other. What remains is locks of
// unknown clients (the grants file was lost), and of regions that do not exist.
void LockManager::recover() {
    for (const auto slot : synchronizer_.slots(0)) {
        const auto stale = [&](const Synchronizer::Held& held) {
            return slot >= registry_.frontier() || !registry_.control(slot).occupied() ||
                   registry_.control(slot).generation != held.lock.generation;
        };
        const auto holders = synchronizer_.holders(slot);
        if (std::none_of(holders.begin(), holders.end(), stale)) continue;
        synchronizer_.absorb(slot);
        for (const auto& held : synchronizer_.holders(slot))
            if (stale(held)) synchronizer_.release(held);
    }
    for (const auto serial : synchronizer_.serials()) {
        synchronizer_.set_process(serial, clients_.process_of(serial));
        // Every region is evaluated in a moment.
        if (!clients_.find(serial)) drop(ClientRecord{}, serial);
    }
}

Result<std::vector<RegionLocks>> LockManager::list(const Caller& caller, std::string_view text,
                                                   std::uint32_t& slot, std::size_t bytes) {
    auto filter = RegionFilter::parse(text);
    if (!filter) return fail(refusals_.refuse(caller, std::move(filter).error(), "locks", {}));
    std::vector<RegionLocks> out;
    std::size_t used = 0;
    (void)synchronizer_.end_loans(INT64_MAX);  // so that it is known who waits for whom
    notify_settled();
    const bool with_tokens = policies_.may(caller, Privilege::release_locks);
    for (const auto next : synchronizer_.slots(slot)) {
        slot = next;
        if (used >= bytes) return out;
        if (!policies_.may(caller, Operation::look, next) ||
            (!filter->empty() && !filter->matches(directory_.describe(next), now())))
            continue;
        out.push_back(describe(next, with_tokens));
        used += kRegionBytes + out.back().holders.size() * kHolderBytes +
                out.back().waiters.size() * kWaiterBytes;
    }
    slot = registry_.frontier();
    return out;
}

Result<RegionLocks> LockManager::release(const Caller& caller, const RegionId& id,
                                         std::uint64_t token) {
    return refusals_.check(caller, "locks release", id, [&]() -> Result<RegionLocks> {
        SHM_TRY(policies_.check(caller, Privilege::release_locks));
        SHM_ASSIGN(const auto slot, find_region(registry_, id));
        RegionLocks out;
        synchronizer_.absorb(slot);
        for (const auto& held : synchronizer_.holders(slot)) {
            if (token != 0 && held.lock.token != token) continue;
            if (out.holder_count++ < kNamedLockers) out.holders.push_back(describe(held, true));
            const auto whose = name_of(held.owner());
            const auto event = event_by(caller, {.kind = EventKind::lock_forced, .text = whose});
            if (held.writes() && !registry_.control(slot).inconsistent)
                mark_inconsistent(slot, event);
            else
                registry_.record(slot, event);
            synchronizer_.release(held);
        }
        if (out.holder_count == 0)
            return fail(ErrorCode::not_held, fmt::format("no lock is held on {}", id.str()),
                        fmt::format("see 'snakepit-shm locks {}'", id.str()));
        notify_settled();
        out.id = id;
        out.inconsistent = registry_.control(slot).inconsistent;
        lifecycle_.released(slot, registry_.control(slot).generation);
        return out;
    }());
}

}  // namespace snakepit::shm
