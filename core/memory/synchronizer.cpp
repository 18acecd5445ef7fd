// SPDX-License-Identifier: MIT
// Granting and releasing. synchronizer_graph.cpp has the wait graph, synchronizer_delegation.cpp
// the locks that clients change themselves, synchronizer_look.cpp the questions.
#include "memory/synchronizer.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/ids.h"

namespace snakepit::shm {

using layout::LockLevels;
using layout::LockWord;

namespace {

// The maximum of held and queued locks per client, so that one program cannot fill the table.
constexpr std::size_t kLocksOfOneClient = 8192;

// Random, so that tokens cannot be guessed or confused with those of an earlier manager.
std::uint64_t random_number() {
    for (;;)
        if (const auto number = random_u64() >> 1; number != 0) return number;
}

tl::unexpected<Error> too_many() {
    return fail(ErrorCode::reference_limit,
                fmt::format("this program holds or waits for {} locks, or one {} levels deep",
                            kLocksOfOneClient, LockLevels::kDeepest),
                "release locks before requesting more");
}

}  // namespace

Synchronizer::Synchronizer(LockTable table, ReferenceCounter* pages)
    : table_(std::move(table)), pages_(pages) {
    for (const auto index : table_.used()) remember(index);
}

void Synchronizer::set_process(std::uint64_t serial, std::uint64_t process) {
    auto& known = clients_[serial].process;
    if (known == process) return;
    leave_process(serial);
    known = process;
    if (process != 0) processes_[process].insert(serial);
}

void Synchronizer::leave_process(std::uint64_t serial) {
    const auto found = processes_.find(clients_.at(serial).process);
    if (found == processes_.end()) return;
    found->second.erase(serial);
    if (found->second.empty()) processes_.erase(found);
}

// A writer is alone, so it is the only holder.
bool Synchronizer::writer_in(const Queue& queue) const {
    return queue.holders.size() == 1 && table_.levels(queue.holders.front()).write > 0;
}

// Compatible with all other holders.
bool Synchronizer::compatible(const Queue& queue, const LockRequest& request) const {
    if (request.mode == AccessMode::read_only) return !writer_in(queue);
    const bool own = holds_.contains({request.owner, request.slot});
    return queue.holders.size() == (own ? 1U : 0U);
}

void Synchronizer::remember(std::uint32_t index) {
    const auto one = held(index);
    auto& client = clients_[one.lock.serial];
    if (const auto told = table_.delegation(index)) {
        const auto sequence = static_cast<std::uint32_t>(one.lock.token - told->base);
        delegated_[one.lock.slot] = {index, sequence % LockWord::kSequences};
        client.delegated.insert(one.lock.slot);
        return;
    }
    queues_[one.lock.slot].holders.push_back(index);
    holds_[{one.owner(), one.lock.slot}] = index;
    client.holds.emplace(one.lock.slot, one.lock.thread);
}

// Clear the table's record first: the next holder must not be in the table at the same time.
void Synchronizer::forget(const Held& one) {
    table_.clear(one.index);
    unlink(one);
}

void Synchronizer::unlink(const Held& one) {
    std::erase(queues_[one.lock.slot].holders, one.index);
    holds_.erase({one.owner(), one.lock.slot});
    clients_[one.lock.serial].holds.erase({one.lock.slot, one.lock.thread});
}

// Cannot fail: `record` was reserved before.
std::uint64_t Synchronizer::grant(const LockRequest& request, std::uint32_t record) {
    const bool writes = request.mode == AccessMode::read_write;
    if (const auto own = find(request.owner, request.slot)) {  // an upgrade
        auto levels = own->levels;
        levels.request = request.request;
        ++(writes ? levels.write : levels.read);
        table_.set_levels(own->index, levels);
        table_.free(record);
        return own->lock.token;
    }
    const LockTable::Lock lock{request.owner.serial, request.generation, random_number(),
                               now().micros,         request.slot,       request.owner.thread};
    const std::uint16_t one = 1;
    table_.commit(
        record, lock,
        {request.request, writes ? std::uint16_t{0} : one, writes ? one : std::uint16_t{0}});
    remember(record);
    return lock.token;
}

// An answer that needs neither queue nor record: the request was granted before, or its owner
// already holds enough. While an owner writes, a read request is another write level, so that
// releasing in reverse order never leaves it with shared access while it expects exclusive access.
std::optional<LockAnswer> Synchronizer::deepen(const LockRequest& request) {
    const auto own = find(request.owner, request.slot);
    if (!own) return std::nullopt;
    auto levels = own->levels;
    const LockAnswer granted{LockState::granted, request.slot, own->lock.token, 0, {}};
    if (levels.request == request.request) return granted;
    if (request.mode == AccessMode::read_write && !own->writes()) return std::nullopt;
    levels.request = request.request;
    ++(own->writes() ? levels.write : levels.read);
    table_.set_levels(own->index, levels);
    return granted;
}

// The same request, repeated while it waits. Another request of the same thread ends the wait,
// because a thread waits for one lock only.
std::optional<LockAnswer> Synchronizer::again(const LockRequest& request) {
    const auto ticket = ticket_of_.find(request.owner);
    if (ticket == ticket_of_.end()) return std::nullopt;
    auto& wait = waits_.at(ticket->second);
    const bool same = wait.what.slot == request.slot &&
                      wait.what.generation == request.generation &&
                      wait.what.request == request.request;
    if (same && wait.state == LockState::queued) return outcome(wait);
    const auto slot = wait.what.slot;
    if (same)
        erase(wait.ticket);
    else
        withdraw(wait.ticket);
    advance(slot);
    return std::nullopt;
}

Result<LockAnswer> Synchronizer::ask(const LockRequest& request) {
    set_process(request.owner.serial, request.process);
    for (const auto serial : same_process(request.owner.serial)) end_loans_of(serial);
    if (!lent(request.slot)) absorb(request.slot);
    SHM_ASSIGN(auto answer, decide(request));
    if (answer.state == LockState::granted) answer.delegation = delegate(request, 0);
    return answer;
}

Result<LockAnswer> Synchronizer::decide(const LockRequest& request) {
    if (const auto answer = again(request)) return *answer;
    const auto own = find(request.owner, request.slot);
    if (own &&
        (own->levels.read == LockLevels::kDeepest || own->levels.write == LockLevels::kDeepest))
        return too_many();
    if (const auto answer = deepen(request)) return *answer;
    auto& client = clients_[request.owner.serial];
    if (client.holds.size() + client.tickets.size() >= kLocksOfOneClient) return too_many();

    const auto queue = queues_.find(request.slot);
    const bool free = queue == queues_.end() || ((own || queue->second.waiting.empty()) &&
                                                 compatible(queue->second, request));
    if (free) {
        SHM_ASSIGN(const auto record, table_.reserve());
        return LockAnswer{LockState::granted, request.slot, grant(request, record), 0, {}};
    }
    if (request.deadline <= monotonic_nanos())
        return LockAnswer{LockState::timed_out, request.slot, 0, 0, {}};
    return enqueue(request, own.has_value());
}

Result<LockAnswer> Synchronizer::enqueue(const LockRequest& request, bool upgrade) {
    SHM_ASSIGN(const auto record, table_.reserve());
    auto& queue = queues_[request.slot].waiting;
    Wait fresh{request,      random_number(),   0, record,
               now().micros, monotonic_nanos(), 0, LockState::queued};
    if (!queue.empty())
        fresh.order = upgrade ? queue.begin()->first - 1 : queue.rbegin()->first + 1;
    auto& wait = waits_.emplace(fresh.ticket, fresh).first->second;
    queue.emplace(wait.order, &wait);
    ticket_of_[request.owner] = wait.ticket;
    clients_[request.owner.serial].tickets.insert(wait.ticket);
    deadlines_.emplace(request.deadline, wait.ticket);
    by_age_.emplace(wait.asked, wait.ticket);
    auto cycle = find_cycle(wait);
    if (cycle.empty()) return outcome(wait);
    erase(wait.ticket);
    return LockAnswer{LockState::deadlock, request.slot, 0, 0, std::move(cycle)};
}

// Grants from the head on, until a request has to wait. A lent lock is not free.
void Synchronizer::advance(std::uint32_t slot) {
    const auto found = queues_.find(slot);
    if (found == queues_.end()) return;
    auto& queue = found->second;
    while (!queue.waiting.empty()) {
        auto& wait = *queue.waiting.begin()->second;
        if (delegated_.contains(slot) || !compatible(queue, wait.what)) return;
        wait.token = grant(wait.what, wait.record);
        settle(wait, LockState::granted);
    }
    if (queue.holders.empty()) queues_.erase(found);
}

// -------------------------------------------------------------- ends of waits

void Synchronizer::leave_queue(Wait& wait) {
    queues_[wait.what.slot].waiting.erase(wait.order);
    deadlines_.erase({wait.what.deadline, wait.ticket});
    by_age_.erase({wait.asked, wait.ticket});
}

void Synchronizer::settle(Wait& wait, LockState state) {
    leave_queue(wait);
    if (state != LockState::granted) table_.free(wait.record);
    wait.state = state;
    settled_.push_back({wait.what.owner, wait.what.slot, state,
                        static_cast<std::uint64_t>(monotonic_nanos() - wait.asked),
                        wait.what.request});
}

void Synchronizer::erase(std::uint64_t ticket) {
    auto& wait = waits_.at(ticket);
    if (wait.state == LockState::queued) {
        leave_queue(wait);
        table_.free(wait.record);
    }
    ticket_of_.erase(wait.what.owner);
    clients_[wait.what.owner.serial].tickets.erase(ticket);
    waits_.erase(ticket);
}

Synchronizer::Wait* Synchronizer::known(std::uint64_t serial, std::uint64_t ticket) {
    const auto found = waits_.find(ticket);
    return found != waits_.end() && found->second.what.owner.serial == serial ? &found->second
                                                                              : nullptr;
}

LockAnswer Synchronizer::outcome(const Wait& wait) const {
    return {wait.state, wait.what.slot, wait.token, wait.ticket, {}};
}

LockAnswer Synchronizer::poll(std::uint64_t serial, std::uint64_t ticket) {
    const auto* wait = known(serial, ticket);
    if (!wait) return {};
    const auto answer = outcome(*wait);
    if (answer.state != LockState::queued) erase(ticket);
    return answer;
}

LockAnswer Synchronizer::cancel(std::uint64_t serial, std::uint64_t ticket) {
    auto* wait = known(serial, ticket);
    if (wait && wait->state == LockState::queued) {
        settle(*wait, LockState::timed_out);
        advance(wait->what.slot);
    }
    return poll(serial, ticket);
}

void Synchronizer::expire(std::int64_t now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        auto& wait = waits_.at(deadlines_.begin()->second);
        settle(wait, LockState::timed_out);
        advance(wait.what.slot);
    }
}

void Synchronizer::dismiss(std::uint32_t slot) {
    const auto queue = queues_.find(slot);
    if (queue == queues_.end()) return;
    while (!queue->second.waiting.empty())
        settle(*queue->second.waiting.begin()->second, LockState::withdrawn);
    advance(slot);
}

// -------------------------------------------------------------- giving back

void Synchronizer::unlock(const Held& one, std::uint32_t request) {
    if (one.levels.request != request) drop_level(one, request);
}

void Synchronizer::drop_level(const Held& one, std::uint32_t request) {
    auto levels = one.levels;
    if (levels.depth() == 1) return release(one);
    levels.request = request;
    --(levels.write > 0 ? levels.write : levels.read);
    table_.set_levels(one.index, levels);
    if (levels.write == 0) advance(one.lock.slot);
}

void Synchronizer::release(const Held& one) {
    forget(one);
    advance(one.lock.slot);
}

// A grant that the client was not told of is undone: it asks again for a ticket that is unknown.
void Synchronizer::withdraw(std::uint64_t ticket) {
    const auto wait = waits_.at(ticket);
    erase(ticket);
    if (wait.state != LockState::granted) return;
    if (const auto own = find(wait.what.owner, wait.what.slot);
        own && own->lock.token == wait.token)
        drop_level(*own, 0);  // no request has this number
}

void Synchronizer::cancel_request(std::uint32_t slot, const LockOwner& owner,
                                  std::uint32_t request) {
    const auto ticket = ticket_of_.find(owner);
    if (ticket != ticket_of_.end()) {
        const auto& what = waits_.at(ticket->second).what;
        if (what.slot == slot && what.request == request) {
            withdraw(ticket->second);
            return advance(slot);
        }
    }
    const auto own = find(owner, slot);
    if (own && own->levels.request == request) drop_level(*own, 0);
}

void Synchronizer::drop(std::uint64_t serial) {
    const auto client = clients_.find(serial);
    if (client == clients_.end()) return;
    std::set<std::uint32_t> slots;
    for (const auto ticket : std::set(client->second.tickets)) {
        slots.insert(waits_.at(ticket).what.slot);
        erase(ticket);
    }
    for (const auto& one : held_by(serial)) {
        slots.insert(one.lock.slot);
        forget(one);
    }
    leave_process(serial);
    clients_.erase(serial);
    for (const auto slot : slots) advance(slot);
}

}  // namespace snakepit::shm
