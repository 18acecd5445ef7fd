// SPDX-License-Identifier: MIT
// Locks on regions: who may, who is told, and what the end of a holder means.
//
// What a kill leaves: the Synchronizer's table changes by single stores (registry/lock_table.h). A
// region becomes suspect before the lock of its dead writer leaves the table, and stops being it
// before the lock that acknowledges it does, so between the two somebody still has to come: the
// next manager, who finds a lock of nobody and goes through the same again, or the writer, who asks
// again. An event that was told once is not told again, because the region is suspect already.
#include <algorithm>

#include <fmt/format.h>

#include "base/filter.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kNamedEdges = 4;  // of one waiter
// Of a frame, roughly.
constexpr std::size_t kRegionBytes = 128, kHolderBytes = 96, kWaiterBytes = 128;

Status has_page(const Caller& caller) {
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

const ClientRecord* Service::locker(const LockOwner& owner) const {
    const auto client = client_of_serial_.find(owner.serial);
    return client == client_of_serial_.end() ? nullptr : &grants_.record(client->second);
}

std::string Service::locker_name(const LockOwner& owner) const {
    const auto* record = locker(owner);
    if (!record) return "somebody who is gone";
    const bool main_thread = owner.thread == static_cast<std::uint64_t>(record->pid);
    return main_thread
               ? fmt::format("{} ({})", record->process, record->pid)
               : fmt::format("{} ({}, thread {})", record->process, record->pid, owner.thread);
}

LockHolder Service::describe_lock(const Synchronizer::Held& held, bool with_token) const {
    const auto* record = locker(held.owner());
    return {record ? record->pid : 0,
            record ? record->process : "",
            held.lock.thread,
            held.writes() ? AccessMode::read_write : AccessMode::read_only,
            held.levels.depth(),
            {held.lock.since},
            with_token ? held.lock.token : 0,
            record ? record->worker : ""};
}

RegionLocks Service::describe_locks(std::uint32_t slot, bool with_tokens) const {
    RegionLocks out;
    out.id = registry_->id(slot);
    out.suspect = registry_->control(slot).suspect;
    const auto holders = synchronizer_.holders(slot);
    const auto waiters = synchronizer_.waiters(slot);
    out.holder_count = holders.size();
    out.waiter_count = waiters.size();
    for (std::size_t i = 0; i < std::min(holders.size(), kNamedLockers); ++i)
        out.holders.push_back(describe_lock(holders[i], with_tokens));
    for (std::size_t i = 0; i < std::min(waiters.size(), kNamedLockers); ++i) {
        const auto& waiter = waiters[i];
        const auto* record = locker(waiter.owner);
        LockWaiter one{record ? record->pid : 0,
                       record ? record->process : "",
                       waiter.owner.thread,
                       waiter.mode,
                       {waiter.since},
                       {},
                       record ? record->worker : ""};
        for (const auto& edge : synchronizer_.waits_for(waiter.owner, kNamedEdges))
            if (const auto* other = locker(edge.to)) one.waits_for.push_back(other->pid);
        out.waiters.push_back(std::move(one));
    }
    return out;
}

std::vector<Holder> Service::holders_of(std::uint32_t slot) {
    auto out = counter_.holders(slot, registry_->control(slot).generation);
    if (!synchronizer_.locked(slot)) return out;
    std::unordered_map<std::uint32_t, std::size_t> place;
    for (std::size_t i = 0; i < out.size(); ++i) place.emplace(out[i].client, i);
    for (const auto& held : synchronizer_.holders(slot)) {
        const auto client = client_of_serial_.find(held.lock.serial);
        if (client == client_of_serial_.end()) continue;
        const auto [known, fresh] = place.emplace(client->second, out.size());
        if (fresh)
            out.push_back({client->second, 0,
                           held.writes() ? AccessMode::read_write : AccessMode::read_only});
        ++out[known->second].references;
    }
    return out;
}

// ------------------------------------------------------------------- asking

Error Service::deadlock_error(const Caller& caller, const RegionId& id, const LockAnswer& answer) {
    std::string sentence;
    std::string pids;
    const auto pid = [&](const LockOwner& owner) {
        const auto* record = locker(owner);
        return record ? record->pid : 0;
    };
    for (const auto& edge : answer.cycle) {
        sentence += fmt::format("{}{} waits for {}, which {} {}", sentence.empty() ? "" : "; ",
                                locker_name(edge.from), registry_->id(edge.slot).str(),
                                locker_name(edge.to), edge.held ? "has" : "asked for before");
        pids += fmt::format("{} > ", pid(edge.from));
    }
    pids += fmt::format("{}", pid(answer.cycle.front().from));
    registry_->record(answer.slot, {.kind = EventKind::deadlock,
                                    .result = ErrorCode::deadlock,
                                    .pid = caller.credentials.pid,
                                    .uid = caller.credentials.uid,
                                    .text = pids});
    return make_error(
        ErrorCode::deadlock, fmt::format("waiting for {} would never end: {}", id.str(), sentence),
        "give back what you hold and begin again; take locks in one order everywhere");
}

// The slot of a region that was withdrawn may be another's by now, so it is not named.
Result<LockReply> Service::lock_reply(const Caller& caller, const LockAnswer& answer) {
    if (answer.state == LockState::withdrawn)
        return fail(refuse(caller,
                           make_error(ErrorCode::region_not_found,
                                      "the region was deallocated while it was waited for",
                                      "allocate a new region"),
                           "lock", {}));
    const bool granted = answer.state == LockState::granted;
    return LockReply{answer.state, answer.token, answer.ticket,
                     granted && registry_->control(answer.slot).suspect};
}

Result<LockReply> Service::lock(const Caller& caller, const LockCall& call) {
    Result<LockReply> reply = [&]() -> Result<LockReply> {
        SHM_TRY(has_page(caller));
        if (call.request == 0)
            return fail(ErrorCode::protocol_error, "the request for a lock has no number");
        SHM_ASSIGN(const auto slot, seals_.may_finish(caller, call.id)
                                        ? find(call.id)
                                        : openable(caller, call.id, call.mode));
        const auto deadline = call.timeout_ms == kLockForever
                                  ? LockRequest::kForever
                                  : monotonic_nanos() + std::int64_t{call.timeout_ms} * 1'000'000;
        SHM_ASSIGN(const auto answer, synchronizer_.ask({slot, registry_->control(slot).generation,
                                                         LockOwner{caller.serial, call.thread},
                                                         call.mode, call.request, deadline}));
        settle_locks();
        figures_.counters.deadlocks += answer.state == LockState::deadlock ? 1 : 0;
        if (answer.state == LockState::deadlock)
            return fail(deadlock_error(caller, call.id, answer));
        if (answer.state == LockState::granted) refresh(slot);
        return lock_reply(caller, answer);
    }();
    if (!reply) return fail(refuse(caller, std::move(reply).error(), "lock", call.id));
    return reply;
}

Result<LockReply> Service::lock_wait(const Caller& caller, std::uint64_t ticket) {
    return lock_reply(caller, synchronizer_.poll(caller.serial, ticket));
}

Result<LockReply> Service::lock_cancel(const Caller& caller, std::uint64_t ticket) {
    const auto answer = synchronizer_.cancel(caller.serial, ticket);
    settle_locks();
    return lock_reply(caller, answer);
}

void Service::lock_forsake(const Caller& caller, const RegionId& id, std::uint32_t thread,
                           std::uint32_t request) {
    const auto slot = registry_->find(id);
    if (!slot || !caller.client || request == 0) return;
    synchronizer_.forsake(*slot, {caller.serial, thread}, request);
    settle_locks();
    released(*slot, registry_->control(*slot).generation);
}

Status Service::unlock(const Caller& caller, const RegionId& id, std::uint64_t token,
                       std::uint32_t request) {
    Status done = [&]() -> Status {
        SHM_ASSIGN(const auto slot, find(id));
        const auto held = synchronizer_.find(caller.serial, slot, token);
        if (!caller.client || !held) return fail(not_held(id));
        auto word = registry_->control(slot);
        if (word.suspect && held->levels.write == 1 && held->levels.request != request) {
            word.suspect = false;
            registry_->commit(slot, word,
                              {.kind = EventKind::lock_acknowledged,
                               .pid = caller.credentials.pid,
                               .uid = caller.credentials.uid,
                               .text = caller.process});
        }
        synchronizer_.unlock(*held, request);
        settle_locks();
        released(slot, word.generation);
        return {};
    }();
    if (!done) return fail(refuse(caller, std::move(done).error(), "unlock", id));
    return done;
}

// -------------------------------------------------------------------- ends

void Service::distrust(std::uint32_t slot, const Event& event) {
    if (slot >= registry_->frontier()) return;
    auto word = registry_->control(slot);
    if (word.suspect || !word.occupied()) return;
    word.suspect = true;
    registry_->commit(slot, word, event);
}

void Service::settle_locks() {
    const auto at = registry_->time();
    for (const auto& settled : synchronizer_.take_settled()) {
        const auto* record = locker(settled.owner);
        figures_.counters.lock_timeouts += settled.state == LockState::timed_out ? 1 : 0;
        if (settled.state == LockState::granted)
            registry_->timed(Timed::lock_wait).add(settled.waited);
        if (!record) continue;
        if (settled.state == LockState::granted) refresh(settled.slot, 0, at);
        if (settled.state == LockState::timed_out) {
            const auto who = client_text(*record);
            registry_->record(settled.slot, {.kind = EventKind::lock_timed_out,
                                             .result = ErrorCode::timeout,
                                             .pid = record->pid,
                                             .uid = record->uid,
                                             .text = who});
        }
        counter_.wake(client_of_serial_.at(settled.owner.serial));
    }
}

void Service::dismiss_lock_waiters(std::uint32_t slot) {
    synchronizer_.dismiss(slot);
    settle_locks();
}

void Service::expire_lock_waits() {
    synchronizer_.expire(monotonic_nanos());
    settle_locks();
}

// The slots that are free of it now join the client's estate, to be judged with the others.
void Service::drop_locks(const ClientRecord& record, std::uint64_t serial,
                         ReferenceCounter::Estate& left) {
    const auto who = client_text(record);
    for (const auto& held : synchronizer_.held_by(serial)) {
        if (held.writes())
            distrust(held.lock.slot, {.kind = EventKind::lock_broken,
                                      .pid = record.pid,
                                      .uid = record.uid,
                                      .text = who});
        left.slots.push_back({held.lock.slot, 0});
        ++left.references;
    }
    synchronizer_.drop(serial);
    settle_locks();
}

// Clients that went while no manager ran were dropped like any other; what remains is locks of
// clients nobody knows (the grants file was lost), and of regions that are not there.
void Service::recover_locks() {
    for (const auto slot : synchronizer_.slots(0))
        for (const auto& held : synchronizer_.holders(slot))
            if (slot >= registry_->frontier() || !registry_->control(slot).occupied() ||
                registry_->control(slot).generation != held.lock.generation)
                synchronizer_.release(held);
    ReferenceCounter::Estate ended;  // every region is judged anew in a moment
    for (const auto serial : synchronizer_.serials())
        if (!client_of_serial_.contains(serial)) drop_locks(ClientRecord{}, serial, ended);
}

// ------------------------------------------------------------------ looking

Result<std::vector<RegionLocks>> Service::locks(const Caller& caller, std::string_view text,
                                                std::uint32_t& slot, std::size_t bytes) {
    auto filter = RegionFilter::parse(text);
    if (!filter) return fail(refuse(caller, std::move(filter).error(), "locks", {}));
    std::vector<RegionLocks> out;
    std::size_t used = 0;
    const bool with_tokens = policies_.may(caller, Privilege::release_locks);
    for (const auto next : synchronizer_.slots(slot)) {
        slot = next;
        if (used >= bytes) return out;
        if (!policies_.may(caller, Operation::look, next) ||
            (!filter->empty() && !filter->matches(describe_slot(next), now())))
            continue;
        out.push_back(describe_locks(next, with_tokens));
        used += kRegionBytes + out.back().holders.size() * kHolderBytes +
                out.back().waiters.size() * kWaiterBytes;
    }
    slot = registry_->frontier();
    return out;
}

Result<RegionLocks> Service::release_locks(const Caller& caller, const RegionId& id,
                                           std::uint64_t token) {
    Result<RegionLocks> taken = [&]() -> Result<RegionLocks> {
        SHM_TRY(policies_.check(caller, Privilege::release_locks));
        SHM_ASSIGN(const auto slot, find(id));
        RegionLocks out;
        for (const auto& held : synchronizer_.holders(slot)) {
            if (token != 0 && held.lock.token != token) continue;
            if (out.holder_count++ < kNamedLockers)
                out.holders.push_back(describe_lock(held, true));
            const auto whose = locker_name(held.owner());
            const Event event{.kind = EventKind::lock_forced,
                              .pid = caller.credentials.pid,
                              .uid = caller.credentials.uid,
                              .text = whose};
            if (held.writes() && !registry_->control(slot).suspect)
                distrust(slot, event);
            else
                registry_->record(slot, event);
            synchronizer_.release(held);
        }
        if (out.holder_count == 0)
            return fail(ErrorCode::not_held, fmt::format("{} has no such lock", id.str()),
                        fmt::format("see 'snakepit-shm locks {}'", id.str()));
        settle_locks();
        out.id = id;
        out.suspect = registry_->control(slot).suspect;
        released(slot, registry_->control(slot).generation);
        return out;
    }();
    if (!taken) return fail(refuse(caller, std::move(taken).error(), "locks release", id));
    return taken;
}

}  // namespace snakepit::shm
