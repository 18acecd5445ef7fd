// SPDX-License-Identifier: MIT
// Signals: the region's word is found and pinned like its memory, then changed or slept on.
#include <algorithm>

#include "client/manager_client_private.h"
#include "platform/wait_word.h"

namespace snakepit::shm {

using layout::LeasePage;
using layout::SignalWord;

namespace {

constexpr int kAttempts = 8;  // a grant may be withdrawn before we use it
// The longest sleep of a waiter: it sees then that the region ended, that another manager has the
// word elsewhere, or that a hostile program took its mark away.
constexpr int kLookMs = 200;

}  // namespace

// Lock-free, as Mapper::acquire: the reference pins the entry, so what was read before is compared
// again.
ManagerClient::Private::QuickPin ManagerClient::Private::pin_quickly(const RegionId& id) {
    auto* const entry = mapper.find(id);
    if (!entry) return {};
    const auto& lease = connection->lease();
    const auto slot = entry->slot.load(std::memory_order_relaxed);
    const auto generation = entry->generation.load(std::memory_order_acquire);
    auto* const word = entry->signal.load(std::memory_order_acquire);
    if (generation == 0 || !word || entry->audited.load(std::memory_order_relaxed) ||
        entry->signal_epoch.load(std::memory_order_relaxed) !=
            lease.signals().load(std::memory_order_acquire) ||
        lease.pin(slot, generation) != LeasePage::Acquire::acquired)
        return {};
    const QuickPin pin{entry, word, generation, slot};
    const bool same = entry->is(id) &&
                      entry->generation.load(std::memory_order_relaxed) == generation &&
                      entry->slot.load(std::memory_order_relaxed) == slot &&
                      entry->signal.load(std::memory_order_relaxed) == word;
    if (same) return pin;
    unpin(pin);
    return {};
}

// With the mutex. An audited region is asked for, so that the access is recorded.
Result<MappedRegion> ManagerClient::Private::reference_to(const RegionId& id) {
    auto* const entry = mapper.find(id);
    if (!entry || entry->audited.load(std::memory_order_relaxed))
        return map_slowly(id, AccessMode::read_only, false);
    MappedRegion reference;
    reference.slot = entry->slot.load(std::memory_order_relaxed);
    reference.generation = entry->generation.load(std::memory_order_relaxed);
    const auto outcome = connection->lease().pin(reference.slot, reference.generation);
    if (outcome == LeasePage::Acquire::acquired) return reference;
    return map_slowly(id, AccessMode::read_only, false);
}

Result<ManagerClient::Private::Pin> ManagerClient::Private::pin_asking(const RegionId& id,
                                                                       const Deadline& deadline) {
    SHM_ASSIGN(const auto held, connection->lock(deadline));
    if (!connection->lease().valid())
        return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                    "use a connection with a lease page to use signals");
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        // Read first: a manager that changes it meanwhile is asked again.
        const auto epoch = connection->lease().signals().load(std::memory_order_acquire);
        SHM_ASSIGN(const auto reference, reference_to(id));
        wire::SignalT call;
        call.id = std::make_unique<wire::RegionKey>(to_wire(id));
        const auto found = [&]() -> Result<Pin> {
            SHM_ASSIGN(const auto answer, ask_locked(std::move(call)));
            const auto* place = answer.reply.answer.AsSignalPlace();
            if (!place || !answer.handle) return unexpected_answer();
            if (place->slot != reference.slot || place->generation != reference.generation)
                return Pin{};
            SHM_ASSIGN(auto mapped, signals.map(answer.handle, place->offset));
            auto& entry = mapper.at(id);
            entry.signal_mapping.set(mapped.mapping);
            entry.signal_epoch.store(epoch, std::memory_order_relaxed);
            entry.signal.store(mapped.word, std::memory_order_release);
            return Pin{reference, mapped.word, std::move(mapped.mapping)};
        }();
        if (found && found->word) return found;
        (void)release(reference);
        if (!found) return found;
    }
    return fail(ErrorCode::mapping_failed, "the region is being withdrawn or moved",
                "try again; allocate a new region if it was deallocated");
}

Result<ManagerClient::Private::Pin> ManagerClient::Private::pin(const RegionId& id,
                                                                std::int64_t until) {
    if (const auto quick = pin_quickly(id); quick.word) {
        Pin pin{{}, quick.word, quick.entry->signal_mapping.get()};
        pin.reference.slot = quick.slot;
        pin.reference.generation = quick.generation;
        return pin;
    }
    return pin_asking(id, Deadline::until(until, connection->patience_ms()));
}

std::optional<std::uint64_t> ManagerClient::Private::counter_of(const RegionId& id) {
    const auto pin = pin_quickly(id);
    if (!pin.word) return std::nullopt;
    const auto counter = pin.word->counter();
    unpin(pin);
    return counter;
}

Status ManagerClient::notify(const RegionId& id) {
    if (d_->connection->forked()) return fail(forked_error());
    if (const auto pin = d_->pin_quickly(id); pin.word) {
        const auto marks = pin.word->notify();
        d_->unpin(pin);
        if (marks != 0) [[unlikely]]
            d_->wake(*pin.word, marks, pin.slot, pin.generation);
        return kSuccess;
    }
    SHM_ASSIGN(const auto pin, d_->pin_asking(id, d_->connection->usual()));
    const auto marks = pin.word->notify();
    (void)d_->release(pin.reference);
    d_->wake(*pin.word, marks, pin.reference.slot, pin.reference.generation);
    return kSuccess;
}

// Of the word only the address is used: the region may have ended by now.
void ManagerClient::Private::wake(const SignalWord& word, std::uint64_t marks, std::uint32_t slot,
                                  std::uint64_t generation) {
    if ((marks & SignalWord::kSleepers) != 0) wake_all(word.low());
    if ((marks & SignalWord::kWatched) != 0) signals.tell(slot, generation);
}

Result<std::optional<std::uint64_t>> ManagerClient::wait(const RegionId& id, std::uint64_t since,
                                                         std::uint32_t timeout_ms) {
    if (d_->connection->forked()) return fail(forked_error());
    const auto until = timeout_ms == kLockForever
                           ? INT64_MAX
                           : monotonic_nanos() + std::int64_t{timeout_ms} * 1'000'000;
    for (;;) {
        if (d_->connection->closed()) return fail(closed_error());
        SHM_ASSIGN(const auto pin, d_->pin(id, until));
        const auto left = until == INT64_MAX ? INT64_MAX : until - monotonic_nanos();
        auto seen = pin.word->value.load(std::memory_order_acquire);
        if (SignalWord::counter(seen) == since && left > 0)
            seen = pin.word->mark(SignalWord::kSleepers);
        (void)d_->release(pin.reference);
        if (SignalWord::counter(seen) != since) return SignalWord::counter(seen);
        if (left <= 0) return std::optional<std::uint64_t>();
        const auto millis = std::min<std::int64_t>(kLookMs, (left + 999'999) / 1'000'000);
        d_->signals.sleep(*pin.word, seen, static_cast<int>(millis));
    }
}

Result<int> ManagerClient::event_fd() {
    return d_->events.descriptor();
}

Result<std::optional<ClientEvent>> ManagerClient::next_event() {
    return d_->events.next();
}

Result<std::uint64_t> ManagerClient::wait_begin(const RegionId& id, std::uint64_t since) {
    return d_->events.begin(id, since);
}

}  // namespace snakepit::shm
