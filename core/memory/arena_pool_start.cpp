// SPDX-License-Identifier: MIT
// What an earlier manager left in arenas: slices go back where they were, the rest is free and
// dirty.
#include <algorithm>

#include <fmt/format.h>

#include "layout/registry_reader.h"
#include "memory/arena_pool.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// The parts of `range` that lie in the arena's free runs.
std::vector<Range> free_parts(const Arena& arena, Range range) {
    std::vector<Range> out;
    for (auto at = range.offset; at < range.end();) {
        auto run = arena.run_at(at);
        if (run.size == 0) {
            const auto next = arena.runs().lower_bound(at);
            if (next == arena.runs().end()) break;
            run = {next->first, next->second};
        }
        const auto from = std::max(at, run.offset);
        const auto to = std::min(range.end(), run.end());
        if (from < to) out.push_back({from, to - from});
        at = run.end();
    }
    return out;
}

}  // namespace

Result<std::shared_ptr<Arena>> ArenaPool::open_arena(std::uint32_t tenant, const SlotBody& body) {
    if (const auto known = arenas_.find(body.arena); known != arenas_.end()) return known->second;
    auto name = arena_name(registry_.instance(), body.arena);
    if ((body.flags & kMemfd) != 0) name = anonymous_name(name);
    if (!backend_.inspect_segment(name))
        return fail(ErrorCode::corruption_detected,
                    (body.flags & kMemfd) != 0
                        ? "its arena is lost: nobody kept it when the manager ended"
                        : "its arena is gone: removed by someone else");
    SHM_ASSIGN(auto segment, backend_.open_segment(name, AccessMode::read_write));
    if (segment.identity != FileIdentity{body.device, body.inode})
        return fail(ErrorCode::corruption_detected, "its arena was exchanged by someone else");
    if (segment.size == 0)
        return fail(ErrorCode::corruption_detected, "its arena was cut by someone else");
    SHM_ASSIGN(auto mapping,
               Mapping::map(segment.handle, segment.size, Mapping::Access::read_write));
    auto arena =
        std::make_shared<Arena>(body.arena, tenant, name, std::move(segment), std::move(mapping));
    arenas_.emplace(body.arena, arena);
    of_tenant_[tenant].push_back(arena);
    return arena;
}

Status ArenaPool::adopt(std::uint32_t tenant, const SlotBody& body) {
    SHM_ASSIGN(const auto arena, open_arena(tenant, body));
    const Range range{body.offset, body.actual_size};
    const bool inside = range.size > 0 && range.offset % PageSet::kPage == 0 &&
                        range.size % PageSet::kPage == 0 && range.offset < arena->size() &&
                        range.size <= arena->size() - range.offset;
    if (!inside) return fail(ErrorCode::corruption_detected, "its arena was cut by someone else");
    if (arena->tenant() != tenant)
        return fail(ErrorCode::corruption_detected, "its arena belongs to another user");
    if (!arena->is_free(range))
        return fail(ErrorCode::corruption_detected, "another region claims the same place");
    arena->mark_used(range);
    arena->reserved.insert(range);
    return {};
}

void ArenaPool::adopted() {
    for (const auto& [id, arena] : arenas_) {
        for (const auto& data : data_ranges(arena->handle(), arena->size())) {
            for (const auto& part : free_parts(*arena, {data.offset, data.size})) {
                arena->dirty.insert(part);
                arena->reserved.insert(part);
            }
        }
        if (arena->empty()) arena->empty_since = registry_.time();
    }
    const auto prefix = fmt::format("/snakepit_{}_", registry_.instance());
    remove_unknown(prefix);
    remove_unknown(anonymous_name(prefix));
}

// Arenas of ours in which no region was left. `prefix`: of the names of all our segments.
void ArenaPool::remove_unknown(const std::string& prefix) {
    const auto segments = backend_.list_segments(prefix + "arena_");
    if (!segments) return;
    for (const auto& segment : *segments) {
        const auto id = arena_of(std::string_view(segment.name).substr(prefix.size()));
        if (!id || arenas_.contains(*id) || !ours(*id)) continue;
        if (backend_.remove_segment(segment.name, segment.identity))
            registry_.record(
                {.kind = EventKind::arena_returned, .value = segment.size, .text = segment.name});
    }
}

}  // namespace snakepit::shm
