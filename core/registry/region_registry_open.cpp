// SPDX-License-Identifier: MIT
// Opening a registry: creating a new file, validating an old one, repairing what can be repaired.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "layout/registry_reader.h"
#include "platform/process.h"
#include "platform/process_lock.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// How long a killed manager may still hold the lock while the kernel tears it down.
constexpr int kLockPatienceMs = 3000;

bool plausible(std::uint32_t frontier) {
    return frontier <= kMaxSlots && frontier % kChunkSlots == 0;
}

// Smaller differences are the time between two readings.
constexpr std::int64_t kLeastStep = 100'000;  // microseconds
constexpr int kReadings = 5;

// Wall clock minus boot time. Both run at the same speed, so this changes only if the wall clock is
// set.
std::int64_t wall_over_boot() {
    std::int64_t best = 0, narrowest = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i < kReadings && narrowest > 100; ++i) {
        const auto before = boot_micros();
        const auto wall = now().micros;
        const auto after = boot_micros();
        if (after - before >= narrowest) continue;
        narrowest = after - before;
        best = wall - before - narrowest / 2;
    }
    return best;
}

Status set_aside(const std::string& path, std::string& note, std::string_view reason) {
    const auto aside = fmt::format("{}.damaged-{}", path, now().micros);
    if (std::rename(path.c_str(), aside.c_str()) != 0)
        return fail(system_error(errno, fmt::format("cannot move {} aside", path)));
    note = fmt::format("{}; kept as {}", reason, aside.substr(aside.rfind('/') + 1));
    return {};
}

}  // namespace

Result<std::unique_ptr<RegionRegistry>> RegionRegistry::open(const InstancePaths& paths) {
    std::string note;
    for (int attempt = 0;; ++attempt) {
        bool created = false;
        auto file = MappedFile::open_or_create(paths.registry(), kRegistrySizes, created);
        if (!file) {
            if (file.error().code != ErrorCode::corruption_detected || attempt > 0)
                return fail(std::move(file).error());
            SHM_TRY(set_aside(paths.registry(), note, file.error().message));
            continue;
        }
        // Two writers would destroy the file. service.lock is checked first, but it can be removed
        // and recreated; this lock is on the protected file itself.
        if (!lock_for_life(file->handle(), kLockPatienceMs))
            return fail(ErrorCode::instance_in_use,
                        fmt::format("another manager has {} open", paths.registry()),
                        "use it, stop it, or choose another --instance");
        std::unique_ptr<RegionRegistry> registry(
            new RegionRegistry(std::move(*file), paths.instance));
        const auto& state = registry->view_.state();
        const bool untouched = !created && registry->view_.header().magic == 0 &&
                               registry->view_.header_copy().magic == 0 &&
                               state.ring_head.load() == 0;
        if (created || untouched) {
            SHM_TRY(registry->initialise());
        } else if (auto checked = registry->check_header(); !checked) {
            if (attempt > 0) return fail(std::move(checked).error());
            SHM_TRY(set_aside(paths.registry(), note, checked.error().message));
            continue;
        }
        if (!note.empty()) registry->note_ = note;
        registry->repair_state();
        registry->ring_.recover(registry->frontier());
        registry->rebuild_indexes();
        return registry;
    }
}

Status RegionRegistry::initialise() {
    SHM_TRY(file_.reserve(0, RegistryOffsets::fixed_end));
    RegistryHeader header{};
    header.magic = kRegistryMagic;
    header.version = kVersion;
    header.max_slots = kMaxSlots;
    header.epoch = random_u64() >> 1;  // SQLite's integers are signed
    header.largest_size = RegistryOffsets::end;
    header.created_at = now().micros;
    SHM_ASSIGN(const auto boot, boot_id());
    std::memcpy(header.boot_id, boot.data(), sizeof header.boot_id);
    copy_text(header.instance, instance_);
    header.owner_uid = ::geteuid();
    header.checksum = checksum_of(header);
    set_frontier(0);
    store_words(view_.header_copy(), header);
    std::atomic_thread_fence(std::memory_order_release);
    store_words(view_.header(), header);
    fresh_ = true;
    return {};
}

bool RegionRegistry::header_valid(const RegistryHeader& header) const {
    return header.magic == kRegistryMagic && header.checksum == checksum_of(header);
}

Status RegionRegistry::check_header() {
    if (!header_valid(view_.header())) {
        if (!header_valid(view_.header_copy()))
            return fail(ErrorCode::corruption_detected, "the registry's header is damaged");
        store_words(view_.header(), view_.header_copy());
        note_ = "the registry's header was damaged and has been restored from its copy";
    }
    const auto& header = view_.header();
    if (header.version != kVersion || header.max_slots != kMaxSlots ||
        header.largest_size != RegistryOffsets::end)
        return fail(ErrorCode::version_mismatch, "the registry belongs to another release");
    SHM_ASSIGN(const auto boot, boot_id());
    if (std::memcmp(header.boot_id, boot.data(), sizeof header.boot_id) != 0)
        return fail(ErrorCode::version_mismatch, "the registry was created before the last boot");
    if (header.owner_uid != ::geteuid())
        return fail(ErrorCode::security_violation,
                    fmt::format("the registry belongs to user {}", header.owner_uid));
    const auto& state = view_.state();
    if (const auto used = state.frontier.load(); plausible(used) && used == ~state.frontier_check &&
                                                 used > RegistryOffsets::slots_in(file_.size()))
        return fail(ErrorCode::corruption_detected,
                    fmt::format("the registry was cut to {} bytes", file_.size()));
    if (!header_valid(view_.header_copy())) store_words(view_.header_copy(), header);
    return {};
}

// The counters are outside the header and can be damaged separately; they can be recomputed.
void RegionRegistry::repair_state() {
    auto& state = view_.state();
    const auto in_file = RegistryOffsets::slots_in(file_.size());
    const auto frontier = state.frontier.load(), check = ~state.frontier_check.load();
    if (plausible(frontier) && plausible(check) && std::max(frontier, check) <= in_file) {
        // Killed between the two: the file has grown already.
        if (frontier != check) set_frontier(std::max(frontier, check));
    } else {
        note_ = "the registry's slot counter was damaged and has been recomputed";
        set_frontier(in_file);
    }
    if (state.client_frontier.load() > kMaxClients) state.client_frontier.store(kMaxClients);
    if (state.clock_origin.load() == 0) begin_clock();
    const auto head = state.ring_head.load();
    if (head == 0 || view_.event(head).seq == head) return;
    std::uint64_t highest = 0;
    for (std::uint64_t i = 0; i < kRingEntries; ++i)
        if (view_.event(i).seq % kRingEntries == i) highest = std::max(highest, view_.event(i).seq);
    note_ = "the registry's event counter was damaged and has been recomputed";
    state.ring_head.store(highest);
    if (state.ring_oldest.load() > highest) state.ring_oldest.store(0);
    if (state.ring_committed.load() > highest) state.ring_committed.store(highest);
}

// The start of the clock is arbitrary, but it must not be 0, which means "never": a machine may
// boot with a wall clock at 1970.
void RegionRegistry::begin_clock() {
    const auto wall_less_boot = wall_over_boot();
    const auto origin = std::max<std::int64_t>(wall_less_boot, 1);
    view_.state().wall_shift.store(wall_less_boot - origin, std::memory_order_relaxed);
    view_.state().clock_origin.store(origin, std::memory_order_release);
}

void RegionRegistry::follow_wall_clock() {
    auto& state = view_.state();
    const auto shift = wall_over_boot() - state.clock_origin.load(std::memory_order_relaxed);
    const auto step = shift - wall_shift();
    if (std::abs(step) < kLeastStep) return;
    record({.kind = EventKind::clock_stepped,
            .pid = ::getpid(),
            .uid = ::geteuid(),
            .value = static_cast<std::uint64_t>(std::abs(step)),
            .text = step > 0 ? "forward" : "back"});
    state.wall_shift.store(shift, std::memory_order_relaxed);
}

void RegionRegistry::rebuild_indexes() {
    std::uint64_t highest_change = 0;
    by_id_.reserve(frontier());
    by_request_.reserve(frontier());
    for (std::uint32_t i = 0; i < frontier(); ++i) {
        highest_change = std::max(highest_change, view_.change(i).load(std::memory_order_relaxed));
        const auto word = control(i);
        if (word.state == SlotState::free) {
            if (word.generation < kGenerationMask) free_.push_back(i);
            continue;
        }
        ++used_count_;
        count(i, 1);
        if (named(i)) index(i);  // otherwise recovery isolates it
    }
    auto& counter = view_.state().change;
    if (counter.load() < highest_change) counter.store(highest_change);
    // The last manager may have been killed between a change and its number: make readers read
    // again.
    for (std::uint32_t i = 0; i < frontier(); ++i) publish_change(i);
}

}  // namespace snakepit::shm
