// SPDX-License-Identifier: MIT
#include "regions/reference_recorder.h"

#include <algorithm>
#include <cstring>

#include "base/time.h"
#include "events/holder_list.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Microseconds between `references` events of one region, on a clock that cannot be set.
constexpr std::int64_t kRecordEvery = 1'000'000;
// With more events than this waiting for the database samples wait too, so that they do not push
// out of the ring what happens only once.
constexpr std::uint64_t kSamplesWait = kRingEntries / 4;

// Changes whenever a holder's count or access does, and not with their order. 0: there is none.
std::uint32_t digest_of(const std::vector<Holder>& holders, const ClientRegistry& clients) {
    std::uint64_t sum = 0;
    bool any = false;
    for (const auto& holder : holders) {
        if (holder.references == 0) continue;
        any = true;
        auto x = clients.serial(holder.client) << 32;
        x ^= holder.references << 1 | static_cast<std::uint64_t>(holder.access);
        x *= 0x9E3779B97F4A7C15ULL;
        x ^= x >> 29;
        x *= 0xBF58476D1CE4E5B9ULL;
        sum += x ^ x >> 32;
    }
    return any ? std::max(static_cast<std::uint32_t>(sum), 1U) : 0;
}

}  // namespace

ReferenceRecorder::Slot& ReferenceRecorder::slot_of(std::uint32_t slot) {
    if (slot >= slots_.size()) slots_.resize(slot + 1);
    return slots_[slot];
}

void ReferenceRecorder::slot_freed(std::uint32_t slot) {
    if (slot < slots_.size()) slots_[slot] = {};
}

void ReferenceRecorder::refresh(std::uint32_t slot, std::uint64_t takes,
                                std::optional<std::int64_t> at) {
    stats_.counters.takes += takes;
    if (!registry_.control(slot).occupied()) return;
    SlotStats stats{};
    const auto before = registry_.stats(slot);
    const auto holders = clients_.holders_of(slot);
    std::uint64_t references = 0;
    for (const auto& holder : holders) {
        if (holder.references == 0) continue;
        references += holder.references;
        if (stats.holders < std::size(stats.top))
            stats.top[stats.holders] = {
                static_cast<std::uint16_t>(holder.client),
                static_cast<std::uint16_t>(std::min<std::uint64_t>(holder.references, 0xFFFF))};
        ++stats.holders;
    }
    stats.references = narrow(references);
    stats.recorded = before.recorded;
    stats.access_count = before.access_count + takes;
    // Not the mere mark: it stands for a whole group, and a neighbour's must not keep this one
    // young.
    const bool locked = synchronizer_.observe(slot);
    const bool accessed = takes > 0 || locked || stats.references != before.references;
    if (accessed && !at) at = registry_.time();
    stats.last_accessed = accessed ? *at : before.last_accessed;
    const bool changed = std::memcmp(&stats, &before, sizeof stats) != 0;
    if (changed) registry_.write_stats(slot, stats);
    if (digest_of(holders, clients_) != stats.recorded) record(slot);
}

void ReferenceRecorder::record(std::uint32_t slot) {
    auto& last = slot_of(slot);
    if (last.pending) return;
    const auto at = boot_micros();
    const auto& ring = registry_.ring();
    if (at - last.recorded_at < kRecordEvery || ring.head() - ring.committed() > kSamplesWait) {
        last.pending = true;
        pending_.push_back(slot);
        return;
    }
    if (!registry_.control(slot).occupied()) return;
    const auto holders = clients_.holders_of(slot);
    auto stats = registry_.stats(slot);
    const auto digest = digest_of(holders, clients_);
    if (digest == stats.recorded) return;
    std::vector<HolderEntry> entries;
    std::uint64_t references = 0;
    for (const auto& holder : holders) {
        if (holder.references == 0) continue;
        references += holder.references;
        const auto& record = clients_.record(holder.client);
        entries.push_back({record.pid, record.start_time, record.process, narrow(holder.references),
                           holder.access == AccessMode::read_only, record.worker});
    }
    const auto count = entries.size();
    registry_.record(slot, {.kind = EventKind::references,
                            .count = narrow(references),
                            .value = count,
                            .text = pack_holders(std::move(entries))});
    last.recorded_at = at;
    stats.recorded = digest;
    registry_.write_stats(slot, stats);
}

void ReferenceRecorder::record_pending() {
    for (const auto slot : std::exchange(pending_, {})) {
        slot_of(slot).pending = false;
        record(slot);
    }
}

}  // namespace snakepit::shm
