// SPDX-License-Identifier: MIT
// Locks that clients take and release in their lease pages.
//
// What a kill leaves (layout/delegated_lock.h has the words, registry/lock_table.h the record):
//   delegate: the record is an ordinary lock; the page's base and word; the record says so. Killed
//             before the last, the next manager has the ordinary lock, and the client, which was
//             not answered, does not know the base and so never uses the word.
//   absorb:   the page's word is recalled; the record gets what it says; the record is ordinary.
//             Killed in between, the next manager finds the same word and does it again.
#include <algorithm>

#include "memory/synchronizer.h"

namespace snakepit::shm {

using layout::LeaseLock;
using layout::LockLevels;
using layout::LockWord;

namespace {

// A client remembers as many (client/delegations.h). Idle ones take records that others may need.
constexpr std::size_t kDelegationsOfOne = 1024;
constexpr std::size_t kMostDelegations = layout::kMaxLocks / 4;

}  // namespace

ReferenceCounter::LockPlace Synchronizer::place(std::uint32_t index) const {
    const auto lock = table_.lock(index);
    return {table_.delegation(index).value_or(LockTable::Delegation{}).client, lock.serial,
            lock.slot};
}

std::optional<LockWord> Synchronizer::look(const Delegated& one) const {
    return pages_ ? pages_->lock_word(place(one.index)) : std::nullopt;
}

// The client's lock, as its page says; empty: it has none. A page that cannot be read is believed
// to have one, as strong as was allowed. No page makes a reader a writer.
std::optional<Synchronizer::Held> Synchronizer::held(const Delegated& one,
                                                     const std::optional<LockWord>& word) const {
    const auto told = table_.delegation(one.index).value_or(LockTable::Delegation{});
    auto out = held(one.index);
    if (!word) {
        out.levels.read = told.writable ? 0 : 1;
        out.levels.write = told.writable ? 1 : 0;
        return out;
    }
    if (!word->held()) return std::nullopt;
    out.lock.thread = word->owner;
    out.lock.token = LeaseLock::token(told.base, word->sequence);
    if (word->sequence != one.seen) out.lock.since = now().micros;
    const auto write = told.writable ? word->write : 0;
    out.levels.write = static_cast<std::uint16_t>(write);
    out.levels.read = static_cast<std::uint16_t>(word->depth() - write);
    return out;
}

void Synchronizer::absorb(std::uint32_t slot) {
    const auto found = delegated_.find(slot);
    if (found == delegated_.end()) return;
    const auto one = found->second;
    const auto word = pages_ ? pages_->recall_lock(place(one.index)) : std::nullopt;
    const auto own = held(one, word);
    delegated_.erase(found);
    clients_[table_.lock(one.index).serial].delegated.erase(slot);
    if (!own) return table_.clear(one.index);
    table_.absorb(one.index, own->lock, own->levels);
    remember(one.index);
}

void Synchronizer::absorb_of(std::uint64_t serial, std::uint32_t slot) {
    const auto found = delegated_.find(slot);
    if (found != delegated_.end() && table_.lock(found->second.index).serial == serial)
        absorb(slot);
}

void Synchronizer::absorb_client(std::uint64_t serial) {
    const auto client = clients_.find(serial);
    if (client == clients_.end()) return;
    for (const auto slot : std::set(client->second.delegated)) absorb(slot);
}

void Synchronizer::absorb_all() {
    while (!delegated_.empty()) absorb(delegated_.begin()->first);
}

bool Synchronizer::observe(std::uint32_t slot) {
    const auto found = delegated_.find(slot);
    if (found == delegated_.end()) return false;
    auto& one = found->second;
    const auto word = look(one);
    if (!word || word->sequence == one.seen) return false;
    one.seen = word->sequence;
    table_.set_since(one.index, now().micros);
    return true;
}

// At the limit another lock of the same client makes room.
bool Synchronizer::make_room(std::uint64_t serial) {
    auto& client = clients_[serial];
    if (client.delegated.size() < kDelegationsOfOne && delegated_.size() < kMostDelegations)
        return true;
    if (client.delegated.empty()) return false;
    auto next = client.delegated.upper_bound(client.hand);
    if (next == client.delegated.end()) next = client.delegated.begin();
    client.hand = *next;
    absorb(client.hand);
    return true;
}

// `end`: of the loan, if others wait; 0: then it is not delegated.
std::optional<LockTable::Delegation> Synchronizer::delegate(const LockRequest& request,
                                                            std::int64_t end) {
    const auto queue = queues_.find(request.slot);
    const bool wanted = queue != queues_.end() && !queue->second.waiting.empty();
    const auto waits = [&](std::uint64_t serial) { return !clients_[serial].tickets.empty(); };
    const auto as = same_process(request.owner.serial);
    const bool alone = queue != queues_.end() && queue->second.holders.size() == 1 &&
                       (!wanted || (end != 0 && std::none_of(as.begin(), as.end(), waits)));
    if (!pages_ || !request.page || !alone) return std::nullopt;
    const auto own = held(queue->second.holders.front());
    const bool writable = request.mode == AccessMode::read_write;
    if (own.owner() != request.owner || (own.writes() && !writable) ||
        !LockWord::fits(own.levels.read, own.levels.write) || !make_room(own.lock.serial))
        return std::nullopt;
    const auto base = pages_->delegate_lock({*request.page, own.lock.serial, request.slot},
                                            own.lock.token, own.lock.thread, own.levels);
    if (!base) return std::nullopt;
    const LockTable::Delegation told{*request.page, writable, *base};
    table_.delegate(own.index, told);
    unlink(own);
    if (!wanted) queues_.erase(request.slot);
    remember(own.index);
    if (wanted) {
        lent_[request.slot] = end;
        clients_[own.lock.serial].lent.insert(request.slot);
    }
    return told;
}

// ------------------------------------------------------------------ loans

std::optional<LockTable::Delegation> Synchronizer::lend(std::uint64_t serial, std::uint32_t slot,
                                                        std::uint64_t token, std::uint32_t page,
                                                        std::int64_t end) {
    const auto own = find(serial, slot, token);
    if (!own) return std::nullopt;
    const auto mode = own->writes() ? AccessMode::read_write : AccessMode::read_only;
    return delegate({slot, own->lock.generation, own->owner(), mode, 0, 0, page}, end);
}

// Without a waiter it is an ordinary delegation, which a request ends.
bool Synchronizer::lent(std::uint32_t slot) const {
    const auto queue = queues_.find(slot);
    return delegated_.contains(slot) && queue != queues_.end() && !queue->second.waiting.empty();
}

bool Synchronizer::end_loans(std::int64_t now) {
    for (auto it = lent_.begin(); it != lent_.end();) {
        const auto [slot, end] = *it;
        if (end > now) {
            ++it;
            continue;
        }
        it = lent_.erase(it);
        absorb(slot);
        advance(slot);
    }
    return !lent_.empty();
}

// Their entries in lent_ end at their time: the slot may be lent to another client by then.
void Synchronizer::end_loans_of(std::uint64_t serial) {
    const auto client = clients_.find(serial);
    if (client == clients_.end()) return;
    for (const auto slot : std::exchange(client->second.lent, {})) {
        absorb_of(serial, slot);
        advance(slot);
    }
}

}  // namespace snakepit::shm
