// SPDX-License-Identifier: MIT
// Slices whose pages a client takes itself. Until the manager has looked at them it is not known
// which pages they have: only the client that has the slice in its stash uses it.
#include "memory/arena_pool.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

namespace {

std::vector<Range> data_of(const Slice& slice) {
    std::vector<Range> out;
    for (const auto& data :
         data_ranges(slice.arena->handle(), slice.range.end(), slice.range.offset))
        out.push_back({data.offset, data.size});
    return out;
}

}  // namespace

Status ArenaPool::hollow(const Slice& slice) {
    auto& arena = *slice.arena;
    arena.returning.erase(slice.range);
    for (const auto& part : arena.reserved.ranges(slice.range, true)) {
        if (auto given = backend_.discard(arena.handle(), part.offset, part.size); !given) {
            arena.dirty.insert(part);
            return given;
        }
        arena.reserved.erase(part);
        arena.dirty.erase(part);
    }
    return {};
}

Status ArenaPool::fill(const Slice& slice) {
    auto& arena = *slice.arena;
    arena.reserved.erase(slice.range);
    for (const auto& part : data_of(slice)) {
        arena.reserved.insert(part);
        arena.of_clients.insert(part);
    }
    PageWork work{slice.arena, slice.range, arena.reserved.ranges(slice.range, false), {}, {}};
    if (work.nothing()) return {};
    SHM_TRY(perform(work));
    performed(work, true);
    return {};
}

void ArenaPool::free_hollow(const Slice& slice) {
    auto& arena = *slice.arena;
    arena.reserved.erase(slice.range);
    for (const auto& part : data_of(slice)) {
        arena.reserved.insert(part);
        arena.dirty.insert(part);
        arena.of_clients.insert(part);
    }
    free(slice, false);
}

}  // namespace snakepit::shm
