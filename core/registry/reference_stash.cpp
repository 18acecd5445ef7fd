// SPDX-License-Identifier: MIT
// Slots in clients' stashes: the manager's access to their words. tests/model/stash.pml is the
// checked model.
#include "platform/fault_guard.h"
#include "registry/reference_counter.h"

namespace snakepit::shm {

using namespace layout;

Status ReferenceCounter::record_stash(std::uint32_t client, std::uint32_t slot,
                                      std::uint64_t generation) {
    if (hostile(client))
        return fail(ErrorCode::security_violation, "the lease page was truncated",
                    "restart this program");
    SHM_TRY(reserve(client, slot));
    record_own(client, slot, generation);
    return {};
}

void ReferenceCounter::record_own(std::uint32_t client, std::uint32_t slot,
                                  std::uint64_t generation) {
    if (grants_.grant(client, slot) == 0)
        grantees(slot).push_back(static_cast<std::uint16_t>(client));
    grants_.set_grant(
        client, slot,
        GrantWord::make(generation, static_cast<std::uint8_t>(AccessMode::read_write)));
}

bool ReferenceCounter::exchange_word(std::uint32_t client, std::uint32_t slot, std::uint64_t from,
                                     std::uint64_t to) {
    if (hostile(client)) return false;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    // Acquire: what the client did there came before. Release: so did what the manager did.
    const bool done = page.lease.word(slot).compare_exchange_strong(
        from, to, std::memory_order_acq_rel, std::memory_order_relaxed);
    if (!guard.faulted()) return done;
    mark_hostile(client);
    return false;
}

void ReferenceCounter::offer(std::uint32_t client, std::uint32_t slot, std::uint64_t generation) {
    if (hostile(client)) return;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    page.lease.acquisitions(slot).store(0, std::memory_order_relaxed);
    // Release: the zeroed memory and the slot are visible before the word.
    page.lease.word(slot).store(LeaseWord::make(generation, 0) | LeaseWord::kOwn,
                                std::memory_order_release);
    if (guard.faulted()) mark_hostile(client);
}

std::optional<std::uint64_t> ReferenceCounter::stash_word(std::uint32_t client,
                                                          std::uint32_t slot) {
    const bool there = client < pages_.size() && pages_[client] && pages_[client]->lease.valid() &&
                       grants_.chunk_reserved(client, slot);
    return there ? word(client, slot) : std::nullopt;
}

bool ReferenceCounter::publish(std::uint32_t client, std::uint32_t slot, std::uint64_t seen) {
    if (LeaseWord::own(seen) && !exchange_word(client, slot, seen, seen & ~LeaseWord::kOwn))
        return false;
    record_own(client, slot, LeaseWord::generation(seen));
    return true;
}

bool ReferenceCounter::withdraw_stash(std::uint32_t client, std::uint32_t slot,
                                      std::uint64_t seen) {
    return exchange_word(client, slot, seen, LeaseWord::make(LeaseWord::generation(seen), 0));
}

void ReferenceCounter::forget_stash(std::uint32_t client, std::uint32_t slot) {
    grants_.set_grant(client, slot, 0);
    forget(client, slot);
}

}  // namespace snakepit::shm
