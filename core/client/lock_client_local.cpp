// SPDX-License-Identifier: MIT
// Locks that the manager has delegated to this client (layout/delegated_lock.h).
#include "base/lock_owner.h"
#include "client/lock_client.h"
#include "platform/process.h"

namespace snakepit::shm {

using layout::LeaseLock;
using layout::LockWord;

namespace {

// Asking the system costs more than a lock. A forked child is another process, with other threads.
struct ThisThread {
    std::uint64_t process = 0;
    std::uint32_t number = 0;
};
thread_local constinit ThisThread cached_thread;

}  // namespace

std::uint32_t LockClient::this_thread() const {
    const auto process = ForkGuard::instance().here();
    if (cached_thread.process != process) cached_thread = {process, current_thread()};
    return cached_thread.number;
}

bool LockClient::lock_here(const RegionId& id, AccessMode mode, std::uint32_t owner,
                           std::uint64_t& token) {
    if ((owner != 0 && is_thread(owner)) || connection_.forked() || connection_.closed())
        return false;
    Delegations::Known known;
    if (!delegations_.find(id, known)) return false;
    const auto& lease = connection_.lease();
    const auto acquired = lease.lock(known.slot)
                              .acquire(known.base, owner != 0 ? owner : this_thread(),
                                       mode == AccessMode::read_write, known.writable);
    if (!acquired) {
        take_over(id, Delegations::Known{known});
        return false;
    }
    lease.mark(known.slot);  // the manager's next sweep sees the use
    token = *acquired;
    return true;
}

bool LockClient::unlock_here(const RegionId& id, std::uint64_t token) {
    if (connection_.forked()) return false;
    Delegations::Known known;
    if (!delegations_.find(id, known)) return false;
    const auto& lease = connection_.lease();
    const bool released =
        lease.lock(known.slot).release(known.base, token) == LeaseLock::Release::released;
    if (released)
        lease.mark(known.slot);
    else
        take_over(id, Delegations::Known{known});
    return released;
}

// A recalled lock that is still held is the manager's: its levels are released by requests.
void LockClient::take_over(const RegionId& id, const Delegations::Known& known) {
    const auto& lock = connection_.lease().lock(known.slot);
    const std::lock_guard held(mutex_);
    const auto word = LockWord::decode(lock.word.load(std::memory_order_acquire));
    if (!word.recalled || !word.held() || lock.base.load(std::memory_order_relaxed) != known.base)
        return;
    const auto token = LeaseLock::token(known.base, word.sequence);
    if (delegations_.take_over(id, token)) add_levels(id, token, word.depth());
}

// Called with the mutex. A delegation that is given up for it is recalled, as the manager would,
// so that no other thread of this client uses it any more.
void LockClient::remember(const RegionId& id, const Delegations::Known& known) {
    const auto replaced = delegations_.remember(id, known);
    if (!replaced) return;
    const auto base = replaced->known.base;
    auto& lock = connection_.lease().lock(replaced->known.slot);
    if (lock.base.load(std::memory_order_acquire) != base) return;
    const auto word = lock.recall();
    if (word.held()) add_levels(replaced->id, LeaseLock::token(base, word.sequence), word.depth());
}

// Called with the mutex.
void LockClient::add_levels(const RegionId& id, std::uint64_t token, std::uint32_t levels) {
    auto& one = held_[token];
    one.id = id;
    one.levels += levels;
}

void LockClient::note_granted(const RegionId& id, const wire::LockedT& granted) {
    const std::lock_guard held(mutex_);
    if (!granted.delegated || granted.slot >= layout::kMaxSlots)
        return add_levels(id, granted.token, 1);
    held_.erase(granted.token);
    remember(id, {granted.base, granted.slot, granted.writable});
}

// Called with the mutex.
std::optional<RegionId> LockClient::locked_here_with(std::uint64_t token) const {
    return delegations_.first([&](const Delegations::Known& known, std::uint64_t taken_over) {
        if (taken_over == token) return false;  // it is in held_ as long as it is held
        const auto& lock = connection_.lease().lock(known.slot);
        const auto word = LockWord::decode(lock.word.load(std::memory_order_acquire));
        return word.held() && LeaseLock::token(known.base, word.sequence) == token &&
               lock.base.load(std::memory_order_relaxed) == known.base;
    });
}

}  // namespace snakepit::shm
