// SPDX-License-Identifier: MIT
// Locks that are delegated to clients: the manager's access to their words in the lease pages.
#include "platform/fault_guard.h"
#include "platform/mapped_file.h"
#include "registry/reference_counter.h"

namespace snakepit::shm {

using namespace layout;

template <typename T, typename Use>
std::optional<T> ReferenceCounter::use_lock(const LockPlace& place, Use use) {
    const auto client = place.client;
    const bool there = client < pages_.size() && pages_[client] && pages_[client]->lease.valid() &&
                       !hostile(client) && grants_.record(client).serial == place.serial;
    if (!there) return std::nullopt;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    const T result = use(page.lease.lock(place.slot));
    if (!guard.faulted()) return result;
    mark_hostile(client);
    return std::nullopt;
}

std::optional<LockWord> ReferenceCounter::lock_word(const LockPlace& place) {
    const auto word = use_lock<LockWord>(place, [](LeaseLock& lock) {
        // Acquire: what a holder did came before it released the lock.
        return LockWord::decode(lock.word.load(std::memory_order_acquire));
    });
    if (word) pages_[place.client]->locks.insert(place.slot);  // also after a restart
    return word;
}

std::optional<LockWord> ReferenceCounter::recall_lock(const LockPlace& place) {
    const auto word = use_lock<LockWord>(place, [](LeaseLock& lock) { return lock.recall(); });
    if (word) pages_[place.client]->locks.erase(place.slot);
    return word;
}

std::optional<std::uint64_t> ReferenceCounter::delegate_lock(const LockPlace& place,
                                                             std::uint64_t token,
                                                             std::uint32_t owner,
                                                             const LockLevels& levels) {
    if (hostile(place.client) || !reserve(place.client, place.slot) ||
        !reserve_locks(place.client, place.slot))
        return std::nullopt;
    const auto base = use_lock<std::uint64_t>(place, [&](LeaseLock& lock) {
        return lock.delegate(token, owner, levels.read, levels.write);
    });
    if (base) pages_[place.client]->locks.insert(place.slot);
    return base;
}

// The file is long enough since its chunk was reserved.
Status ReferenceCounter::reserve_locks(std::uint32_t client, std::uint32_t slot) {
    auto& page = *pages_[client];
    if (page.lock_chunks.contains(slot / kChunkSlots)) return {};
    const auto first = slot / kChunkSlots * kChunkSlots;
    SHM_TRY(reserve_pages(page.file, LeaseOffsets::lock(first), LeaseOffsets::locks_bytes));
    page.lock_chunks.insert(slot / kChunkSlots);
    return {};
}

}  // namespace snakepit::shm
