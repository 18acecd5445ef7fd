// SPDX-License-Identifier: MIT
#include "memory/arena_pool.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/ids.h"
#include "layout/registry_reader.h"
#include "platform/fault_guard.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::uint64_t kLargestArena = 1ULL << 30;   // bytes; each is as large as all before
constexpr std::uint64_t kZeroAtOnce = 8ULL << 20;     // bytes of one piece of background work
constexpr std::uint64_t kAhead = 32ULL << 20;         // at most this much is kept reserved
constexpr std::uint64_t kReturnAtOnce = 32ULL << 20;  // bytes

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

Range common(Range a, Range b) {
    const auto from = std::max(a.offset, b.offset);
    const auto to = std::min(a.end(), b.end());
    return from < to ? Range{from, to - from} : Range{};
}

}  // namespace

std::uint64_t PageWork::bytes() const {
    std::uint64_t sum = 0;
    for (const auto* list : {&reserve, &zero, &discard})
        for (const auto& part : *list) sum += part.size;
    return sum;
}

// ------------------------------------------------------------------- slices

Result<Slice> ArenaPool::allocate(std::uint32_t tenant, std::uint64_t size) {
    const auto bytes = page_up(size);
    Slice best;
    std::uint64_t best_run = 0;
    for (const auto& arena : of_tenant_[tenant]) {
        if (arena->fault) continue;
        const auto offset = arena->find(bytes, strategy);
        if (!offset) continue;
        const auto run = arena->run_at(*offset).size;
        const bool better = !best.arena ||
                            (strategy == AllocationStrategy::best_fit && run < best_run) ||
                            (strategy == AllocationStrategy::worst_fit && run > best_run);
        if (!better) continue;
        best = {arena, {*offset, bytes}};
        best_run = run;
        if (strategy == AllocationStrategy::first_fit) break;
    }
    if (best.arena && !check(best.arena)) return allocate(tenant, size);  // of the others
    if (!best.arena) {
        SHM_ASSIGN(best.arena, make_arena(tenant, bytes));
        best.range = {0, bytes};
    }
    best.arena->mark_used(best.range);
    best.arena->empty_since = 0;
    return best;
}

void ArenaPool::free(const Slice& slice, bool touched) {
    auto& arena = *slice.arena;
    if (touched) arena.dirty.insert(slice.range);
    for (const auto& part : arena.of_clients.ranges(slice.range, true)) {
        arena.of_clients.erase(part);
        arena.returning.insert(part);
    }
    arena.mark_free(slice.range);
    if (arena.empty()) arena.empty_since = registry_.time();
}

// The surrounding range of pages that can become one huge page.
Range ArenaPool::widened(const Arena& arena, Range range) const {
    if (!huge_pages) return range;
    const auto from = range.offset / kHugePage * kHugePage;
    const auto to = std::min(round_up(range.end(), kHugePage), arena.size());
    return {from, to - from};
}

PageWork ArenaPool::work_for(const Slice& slice) const {
    PageWork work{slice.arena, slice.range, {}, {}, {}};
    auto& arena = *slice.arena;
    if (!arena.reserved.all(slice.range))
        work.reserve = arena.reserved.ranges(widened(arena, slice.range), false);
    if (arena.dirty.bytes() > 0) work.zero = arena.dirty.ranges(slice.range, true);
    arena.returning.erase(slice.range);
    // They belong to this work now. Otherwise the background work, which looks for dirty pages
    // among free ones, would process them again while they are zeroed or used by a region.
    for (const auto& part : work.zero) arena.dirty.erase(part);
    return work;
}

Status ArenaPool::perform(const PageWork& work) const {
    const auto& arena = *work.arena;
    for (const auto& part : work.discard)
        SHM_TRY(backend_.discard(arena.handle(), part.offset, part.size));
    for (const auto& part : work.reserve) {
        if (auto reserved = backend_.reserve(arena.handle(), part.offset, part.size); !reserved) {
            // Only our own pages: the surrounding ones may be in use now.
            for (const auto& undone : work.reserve)
                if (const auto own = common(undone, work.range); own.size > 0)
                    (void)backend_.discard(arena.handle(), own.offset, own.size);
            return reserved;
        }
        // Optional: without huge pages everything works, only slower.
        if (huge_pages && part.size % kHugePage == 0)
            (void)backend_.use_huge_pages(arena.mapping().data() + part.offset, part.size);
    }
    // Any process that has the arena mapped could truncate it.
    const FaultGuard guard(arena.mapping().data(), arena.mapping().size());
    for (const auto& part : work.zero)
        std::memset(arena.mapping().data() + part.offset, 0, part.size);
    if (!guard.faulted()) return {};
    return fail(
        ErrorCode::corruption_detected,
        fmt::format("arena {} was cut short by someone else", arena.name()),
        "check which process writes to the shared-memory directory; regions in it are damaged");
}

void ArenaPool::performed(const PageWork& work, bool done) {
    auto& arena = *work.arena;
    if (!done) {
        for (const auto& part : work.zero) arena.dirty.insert(part);
        return;
    }
    // Pages around the range that became huge ones with it are not counted: others may return them.
    for (const auto& part : work.reserve) arena.reserved.insert(common(part, work.range));
    for (const auto& part : work.zero) arena.dirty.erase(part);
    for (const auto& part : work.discard) {
        arena.reserved.erase(part);
        arena.dirty.erase(part);
    }
}

Result<Slice> ArenaPool::slice_of(const SlotBody& body) const {
    const auto found = arenas_.find(body.arena);
    if (found != arenas_.end()) return Slice{found->second, {body.offset, body.actual_size}};
    return fail(ErrorCode::corruption_detected,
                fmt::format("arena {} is gone", arena_name(registry_.instance(), body.arena)),
                "deallocate the region and allocate a new one");
}

Result<Handle> ArenaPool::handle_for(const Slice& slice, AccessMode access) const {
    const auto& arena = *slice.arena;
    if (access == AccessMode::read_write) {
        if (auto handle = arena.handle().duplicate()) return handle;
        return fail(system_error(errno, "cannot duplicate an arena's descriptor"));
    }
    if (arena.fault)
        return fail(ErrorCode::mapping_failed,
                    fmt::format("arena {} cannot be opened for reading: {}", arena.name(),
                                arena.fault->what),
                    "try again: the region moves to another arena when no process holds it");
    SHM_ASSIGN(auto segment, backend_.open_segment(arena.name(), access));
    if (segment.identity == arena.identity()) return std::move(segment.handle);
    return fail(ErrorCode::corruption_detected, fmt::format("arena {} was replaced", arena.name()),
                "check which process writes to the shared-memory directory");
}

// ------------------------------------------------------------------- arenas

Result<std::shared_ptr<Arena>> ArenaPool::make_arena(std::uint32_t tenant, std::uint64_t bytes) {
    auto& list = of_tenant_[tenant];
    std::uint64_t total = 0;
    for (const auto& arena : list) total += arena->size();
    auto size = std::max(std::clamp(total, std::min(first_arena, kLargestArena), kLargestArena),
                         round_up(bytes, kHugePage));
    std::uint64_t id = 0;
    do id = tagged(registry_.epoch(), random_u64());
    while (arenas_.contains(id) || static_cast<std::uint32_t>(id) == 0);
    auto name = arena_name(registry_.instance(), id);
    if (backing == Backing::memfd) name = anonymous_name(name);
    SHM_ASSIGN(auto segment, backend_.create_segment(name, size, Pages::on_demand));
    auto mapping = Mapping::map(segment.handle, size, Mapping::Access::read_write);
    if (!mapping) {  // out of address space or mappings
        (void)backend_.remove_segment(name, segment.identity);
        return fail(std::move(mapping).error());
    }
    auto arena = std::make_shared<Arena>(id, tenant, name, std::move(segment), std::move(*mapping));
    arenas_.emplace(id, arena);
    list.push_back(arena);
    registry_.record(
        {.kind = EventKind::arena_created, .uid = tenant, .value = size, .text = name});
    if (huge_pages) try_huge_pages(*arena);
    return arena;
}

void ArenaPool::try_huge_pages(Arena& arena) {
    auto tried = backend_.reserve(arena.handle(), 0, kHugePage);
    if (tried) {
        arena.reserved.insert({0, kHugePage});
        tried = backend_.use_huge_pages(arena.mapping().data(), kHugePage);
    }
    huge_page_problem_ = tried ? std::string() : tried.error().sentence();
}

void ArenaPool::remove(const std::shared_ptr<Arena>& arena) {
    // The name of a damaged arena may refer to another file; its memory is released all the same.
    if (arena->fault) (void)backend_.discard(arena->handle(), 0, arena->size());
    const auto removed = backend_.remove_segment(arena->name(), arena->identity());
    if (!removed && !arena->fault) {  // asked again after the next grace period
        arena->empty_since = registry_.time();
        return;
    }
    registry_.record({.kind = EventKind::arena_returned,
                      .uid = arena->tenant(),
                      .value = arena->size(),
                      .text = arena->name()});
    auto& list = of_tenant_[arena->tenant()];
    list.erase(std::find(list.begin(), list.end(), arena));
    if (list.empty()) of_tenant_.erase(arena->tenant());
    arenas_.erase(arena->id());
}

void ArenaPool::return_empty(std::int64_t at, std::int64_t grace_ms) {
    std::vector<std::shared_ptr<Arena>> due;
    for (const auto& [id, arena] : arenas_)
        if (arena->empty() && arena->empty_since + grace_ms * 1000 <= at) due.push_back(arena);
    for (const auto& arena : due) remove(arena);
}

// --------------------------------------------------------------- background

std::optional<PageWork> ArenaPool::next_background() {
    for (const auto& [id, arena] : arenas_) {
        const auto part = arena->returning.first(0, kReturnAtOnce);
        if (part.size == 0 || arena->fault) continue;
        arena->returning.erase(part);
        arena->mark_used(part);
        return PageWork{arena, part, {}, {}, arena->reserved.ranges(part, true), true};
    }
    for (const auto& [id, arena] : arenas_) {
        const auto part = arena->dirty.first(0, kZeroAtOnce);
        if (part.size == 0 || arena->fault) continue;
        arena->mark_used(part);
        return PageWork{arena, part, {}, {part}, {}};
    }
    for (const auto& [id, arena] : arenas_) {
        if (arena->fault || (arena->wants_ahead && !check(arena))) continue;
        if (auto work = arena->wants_ahead ? reserve_ahead(arena) : return_tail(arena)) return work;
    }
    return std::nullopt;
}

// Reserves pages after the last region, so that the next allocations need not wait for them; not if
// memory is low.
std::optional<PageWork> ArenaPool::reserve_ahead(const std::shared_ptr<Arena>& arena) {
    const auto from = arena->high_water();
    const auto ahead = std::min(kAhead, first_arena / 2);
    const Range window{from, std::min(ahead, arena->size() - from)};
    const auto missing = arena->reserved.ranges(window, false);
    const auto room = backend_.space();
    if (missing.empty() || !room || room->free < 8 * kAhead) {
        arena->wants_ahead = false;
        return std::nullopt;
    }
    const Range part{missing.front().offset, std::min(missing.front().size, kZeroAtOnce)};
    arena->mark_used(part);
    return PageWork{arena, part, {part}, {}, {}};
}

// Memory after the last region is returned once there is enough of it.
std::optional<PageWork> ArenaPool::return_tail(const std::shared_ptr<Arena>& arena) {
    const auto from = arena->high_water();
    const Range tail{from, arena->size() - from};
    const auto idle = arena->reserved.bytes_in(tail);
    if (arena->empty() || idle < std::max(first_arena, arena->used() / 4)) return std::nullopt;
    auto part = arena->reserved.ranges(tail, true).front();
    part.size = std::min(part.size, kReturnAtOnce);
    arena->mark_used(part);
    return PageWork{arena, part, {}, {}, {part}};
}

void ArenaPool::finish_background(const PageWork& work, bool done) {
    performed(work, done);
    if (!work.reserve.empty() && !done) work.arena->wants_ahead = false;
    work.arena->mark_free(work.range);
    if (work.arena->empty() && work.arena->empty_since == 0)
        work.arena->empty_since = registry_.time();
    if (!work.discard.empty() && done && !work.of_clients)
        registry_.record({.kind = EventKind::memory_returned,
                          .uid = work.arena->tenant(),
                          .value = work.bytes(),
                          .text = "unused"});
}

std::uint64_t ArenaPool::make_room() {
    std::uint64_t given = 0;
    for (const auto& [id, arena] : arenas_) {
        if (arena->fault) continue;
        for (const auto& [offset, size] : arena->runs()) {
            PageWork work{
                arena, {offset, size}, {}, {}, arena->reserved.ranges({offset, size}, true)};
            if (!perform(work)) continue;
            performed(work, true);
            given += work.bytes();
        }
    }
    if (given > 0)
        registry_.record(
            {.kind = EventKind::memory_returned, .value = given, .text = "shared memory was full"});
    return given;
}

// ---------------------------------------------------------- defragmentation

std::vector<std::uint32_t> ArenaPool::tenants() const {
    std::vector<std::uint32_t> out;
    for (const auto& [tenant, list] : of_tenant_) out.push_back(tenant);
    return out;
}

std::vector<std::shared_ptr<Arena>> ArenaPool::by_use(std::uint32_t tenant) const {
    const auto found = of_tenant_.find(tenant);
    if (found == of_tenant_.end()) return {};
    auto out = found->second;
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a->used() < b->used(); });
    return out;
}

std::optional<Slice> ArenaPool::better_place(const Slice& slice) {
    const auto bytes = slice.range.size;
    if (slice.arena->fault) {
        auto elsewhere = allocate(slice.arena->tenant(), bytes);
        return elsewhere ? std::optional(std::move(*elsewhere)) : std::nullopt;
    }
    const auto take_at = [&](const std::shared_ptr<Arena>& arena, std::uint64_t offset) {
        const Slice place{arena, {offset, bytes}};
        arena->mark_used(place.range);
        arena->empty_since = 0;
        return place;
    };
    auto arenas = by_use(slice.arena->tenant());
    // Into fuller arenas, the fullest first, so that the emptiest become empty: into holes, or
    // after the last region if all of this arena fits there.
    const auto fits_whole = [&](const Arena& arena) {
        return slice.arena->used() <= arena.size() - arena.used();
    };
    for (auto arena = arenas.rbegin(); arena != arenas.rend() && *arena != slice.arena; ++arena)
        if (const auto offset = (*arena)->find(bytes, AllocationStrategy::best_fit);
            offset && !(*arena)->fault)
            if (*offset < (*arena)->high_water() || fits_whole(**arena))
                return take_at(*arena, *offset);
    if (const auto offset = slice.arena->find_below(bytes, slice.range.offset))
        return take_at(slice.arena, *offset);
    return std::nullopt;
}

// ------------------------------------------------------------------- report

std::vector<ArenaReport> ArenaPool::report() const {
    std::vector<ArenaReport> out;
    for (const auto& [tenant, list] : of_tenant_)
        for (const auto& arena : list)
            out.push_back({arena->name(), tenant, arena->size(), arena->used(), arena->high_water(),
                           arena->largest_free(), arena->reserved.bytes(), arena->dirty.bytes()});
    return out;
}

ArenaPool::Extent ArenaPool::extent() const {
    Extent sum;
    for (const auto& [id, arena] : arenas_) {
        sum.size += arena->size();
        sum.used += arena->used();
        sum.span += arena->high_water();
    }
    return sum;
}

std::uint64_t ArenaPool::dirty_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [id, arena] : arenas_) sum += arena->dirty.bytes();
    return sum;
}

std::uint64_t ArenaPool::reserved_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [id, arena] : arenas_) sum += arena->reserved.bytes();
    return sum;
}

}  // namespace snakepit::shm
