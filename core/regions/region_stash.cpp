// SPDX-License-Identifier: MIT
#include "regions/region_stash.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <algorithm>

#include <fmt/format.h>

#include "layout/allocated_count.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::uint64_t kClientBytes = 32 << 20;  // of one client's stash
constexpr std::uint64_t kAtOnce = 4 << 20;        // bytes: an answer must not wait long for them
constexpr std::uint32_t kMostAtOnce = 64;
constexpr std::uint64_t kShare = 16;  // one part in this many of what is free
constexpr std::int64_t kUnusedMicros = 10'000'000;
constexpr std::int64_t kSumEvery = 1'000'000;
// The manager's compare-and-swap fails only because of the client itself. One that keeps changing
// its word has a region there.
constexpr int kAttempts = 64;

}  // namespace

RegionStash::RegionStash(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle)
    : RegionPart(state), clients_(clients), lifecycle_(lifecycle) {
    registry_.on_stashed = [this](std::uint32_t slot) { look(slot); };
}

std::uint64_t RegionStash::room(const RegionOwner& owner, std::uint64_t size) const {
    const auto left = allocator_.headroom(owner);
    std::uint64_t free = 0;
    struct statvfs files {};
    struct sysinfo memory {};
    if (allocator_.pool.backing == Backing::memfd) {
        if (::sysinfo(&memory) == 0) free = std::uint64_t{memory.freeram} * memory.mem_unit;
    } else if (::statvfs(config_.shm_path.c_str(), &files) == 0) {
        free = std::uint64_t{files.f_bavail} * files.f_frsize;
    }
    const auto found = bytes_of_.find(owner.serial);
    const auto has = found == bytes_of_.end() ? 0 : found->second;
    const auto bytes = std::min(
        {left.bytes / kShare, free / kShare, kAtOnce, kClientBytes - std::min(kClientBytes, has)});
    return std::min(bytes / page_up(size), left.regions / kShare);
}

std::vector<StashedSlot> RegionStash::offer(std::uint32_t client, std::uint32_t like,
                                            std::uint32_t wanted, const RegionOptions& options,
                                            const RegionOwner& owner) {
    std::vector<StashedSlot> out;
    if (registry_.body(like).arena == 0) return out;
    const auto most =
        std::min<std::uint64_t>({wanted, kMostAtOnce, room(owner, registry_.fixed(like).size)});
    for (StashedSlot one; out.size() < most && add(client, like, options, owner, one);)
        out.push_back(one);
    return out;
}

// RESERVED, with its memory, as for a region; then the record, STASHED, and the client's word.
bool RegionStash::add(std::uint32_t client, std::uint32_t like, const RegionOptions& options,
                      const RegionOwner& owner, StashedSlot& out) {
    auto begun = allocator_.begin(registry_.fixed(like).size, options, owner, 0);
    if (!begun) return false;
    const auto slot = begun->slot;
    bool made = false;
    const auto fits = begun->pooled() && begun->slice.arena->id() == registry_.body(like).arena &&
                      !begun->slow() && registry_.name_stashed(slot);
    if (fits) made = make(*begun, hollow(owner)).has_value();
    const auto generation = registry_.control(slot).generation;
    if (made) allocator_.place(*begun, options);
    if (!made || !counter_.record_stash(client, slot, generation)) {
        allocator_.abandon(*begun, made);
        return false;
    }
    auto word = registry_.control(slot);
    word.state = SlotState::stashed;
    registry_.store(slot, word);
    counter_.offer(client, slot, generation);
    lifecycle_.made(slot, false);
    const auto bytes = registry_.body(slot).actual_size;
    const auto at = registry_.time();
    keep(slot, {client, owner.serial, bytes, at, at, 0});
    out = {slot, generation, registry_.id(slot), registry_.body(slot).offset};
    return true;
}

// Small ranges of pages that the client takes become no huge ones.
Status RegionStash::make(PendingAllocation& begun, bool by_client) {
    if (by_client) return allocator_.hollow(begun);
    if (begun.takes_pages()) allocator_.mark_taking(begun);
    return allocator_.make(begun);
}

void RegionStash::look(std::uint32_t slot) {
    look(slot, Wish::keep);
}

void RegionStash::look(std::uint32_t slot, Wish wish) {
    const auto found = held_.find(slot);
    if (found == held_.end()) return;
    auto& held = found->second;
    for (int i = 0; i < kAttempts; ++i) {
        auto word = counter_.stash_word(held.client, slot);
        const auto known = registry_.control(slot).generation;
        if (!word) return;  // as long as it lives, it may use what is there
        // Nothing that the client can have done, except to itself.
        const bool nonsense = !same_stash(LeaseWord::generation(*word), known) ||
                              LeaseWord::generation(*word) < known;
        if (nonsense || (LeaseWord::n(*word) == 0 && !LeaseWord::own(*word))) return end(slot);
        const auto generation = LeaseWord::generation(*word);
        const auto at = registry_.time();
        if (*word != held.word) held.used = at;
        held.word = *word;
        const bool idle = LeaseWord::n(*word) == 0;
        if (idle && wish == Wish::keep && at - held.summed < kSumEvery) return;
        sum_up(slot, held, generation);
        // A client that uses what it did not take, where there is no memory, has nothing there.
        if (!idle && adopted_ && !allocator_.fill_stashed(slot)) return end(slot);
        if (!idle && publish(slot, held, *word)) return;
        if (!idle) continue;  // it has changed meanwhile
        if (wish == Wish::keep) return;
        if (counter_.withdraw_stash(held.client, slot, *word)) return end(slot);
    }
}

// Those that were allocated and freed since the last time, in one step with the generation up to
// which they count.
void RegionStash::sum_up(std::uint32_t slot, Held& held, std::uint64_t generation) {
    const auto known = registry_.control(slot).generation;
    const auto at = registry_.time();
    if (generation > known) {
        const auto count = generation - known;
        const auto& owner = registry_.fixed(slot);
        stats_.counters.allocations += count;
        stats_.counters.deallocations += count;
        registry_.recycle(slot, generation,
                          {.kind = EventKind::transient,
                           .pid = owner.owner_pid,
                           .uid = owner.owner_uid,
                           .count = narrow(count),
                           .value = count * owner.size,
                           .text = fmt::format("{}", registry_.wall(held.summed).micros)});
    }
    held.summed = at;
}

// First the client's word, from which on it must ask to free the region; then its record; then
// LIVE.
bool RegionStash::publish(std::uint32_t slot, const Held& held, std::uint64_t word) {
    const auto client = held.client;
    if (!counter_.publish(client, slot, word)) return false;
    const auto& record = clients_.record(client);
    const std::string worker(record.worker), session(record.session);
    const auto& fixed = registry_.fixed(slot);
    registry_.publish(slot, worker, session,
                      {.kind = EventKind::allocated,
                       .pid = fixed.owner_pid,
                       .uid = fixed.owner_uid,
                       .count = allocated_count(0, made_as(registry_.body(slot))),
                       .value = fixed.size,
                       .text = fixed.owner_process,
                       .worker = worker});
    forget(slot);
    ++stats_.counters.allocations;
    stats_.allocations.add(fixed.owner_uid, session.c_str(), worker.c_str());
    if (!adopted_) {  // recovery does the rest for every region
        published_early_.push_back(slot);
        return true;
    }
    clients_.add_region(slot);
    const auto at = registry_.time();
    lifecycle_.refresh(slot, 1, at);
    lifecycle_.schedule(slot, at);
    return true;
}

// No client can use it, and every region that was there is counted.
void RegionStash::end(std::uint32_t slot) {
    counter_.forget_stash(held_.at(slot).client, slot);
    forget(slot);
    auto word = registry_.control(slot);
    word.state = SlotState::reserved;
    registry_.store(slot, word);
    // At start the arenas are not adopted yet, and recovery undoes what is RESERVED.
    if (adopted_) allocator_.release_stashed(slot);
}

void RegionStash::keep(std::uint32_t slot, const Held& held) {
    held_[slot] = held;
    bytes_of_[held.serial] += held.bytes;
}

void RegionStash::forget(std::uint32_t slot) {
    const auto held = held_.extract(slot).mapped();
    auto& bytes = bytes_of_[held.serial];
    bytes -= held.bytes;
    if (bytes == 0) bytes_of_.erase(held.serial);
}

// A copy, because looking at a slot may end its place in the stash.
template <typename Which>
std::vector<std::uint32_t> RegionStash::slots(Which which) const {
    std::vector<std::uint32_t> out;
    for (const auto& [slot, held] : held_)
        if (which(slot, held)) out.push_back(slot);
    return out;
}

void RegionStash::look_at_all() {
    for (const auto slot : slots([](auto, const auto&) { return true; })) look(slot);
}

bool RegionStash::recall() {
    const auto before = held_.size();
    for (const auto slot : slots([](auto, const auto&) { return true; })) withdraw(slot);
    return held_.size() < before;
}

void RegionStash::expire(std::int64_t at) {
    const auto late = slots([&](std::uint32_t slot, const Held& held) {
        return at - held.used > kUnusedMicros ||
               allocator_.pool.damaged(registry_.body(slot).arena);
    });
    for (const auto slot : late) withdraw(slot);
}

RegionStash::Figures RegionStash::figures() const {
    Figures out{held_.size(), 0};
    for (const auto& [serial, bytes] : bytes_of_) out.bytes += bytes;
    return out;
}

void RegionStash::settle(std::uint32_t client) {
    for (const auto slot :
         slots([client](auto, const auto& held) { return held.client == client; })) {
        withdraw(slot);
        if (held_.contains(slot)) end(slot);  // its page cannot be read, so no region is known
    }
}

// ---------------------------------------------------------------------- start

// A kill in the middle of a change may have left the id of another generation.
void RegionStash::recover() {
    std::unordered_map<std::uint64_t, std::uint32_t> by_serial;
    for (std::uint32_t i = 0; i < kMaxClients; ++i)
        if (const auto serial = clients_.serial(i); serial != 0) by_serial.emplace(serial, i);
    const auto at = registry_.time();
    for (const auto slot : registry_.used()) {
        auto word = registry_.control(slot);
        if (word.state != SlotState::stashed) continue;
        (void)registry_.name_stashed(slot);
        const auto serial = registry_.fixed(slot).owner_serial;
        const auto owner = by_serial.find(serial);
        if (owner != by_serial.end() && grants_.grant(owner->second, slot) != 0 &&
            registry_.intact(slot)) {
            const auto bytes = registry_.body(slot).actual_size;
            keep(slot, {owner->second, serial, bytes, at, at, 0});
            continue;
        }
        word.state = SlotState::reserved;
        registry_.store(slot, word);
    }
}

void RegionStash::adopted() {
    adopted_ = true;
    for (const auto slot : std::exchange(published_early_, {}))
        if (registry_.control(slot).occupied()) (void)allocator_.fill_stashed(slot);
}

void RegionStash::withdraw(std::uint32_t slot) {
    look(slot, Wish::withdraw);
}

}  // namespace snakepit::shm
