// SPDX-License-Identifier: MIT
// Damage to the files of arenas by other processes: removed names (RemoveIPC=, cleanup scripts),
// truncated files (`> file`), replaced names. Our descriptor and mapping still refer to the
// original, so remaining contents can be moved out.
#include <algorithm>
#include <cerrno>

#include "memory/arena_pool.h"
#include "platform/file_state.h"

namespace snakepit::shm {

bool ArenaPool::check(const std::shared_ptr<Arena>& arena) {
    const auto state = file_state(arena->handle());
    if (!state) return !arena->fault;
    auto& fault = arena->fault;
    Arena::Fault found{{}, std::min(state->size, fault ? fault->intact : arena->size())};
    if (state->size < arena->size()) {
        found.what = "its file was truncated by another process";
    } else if (state->size > arena->size()) {
        found.what = "its file was extended by another process";
    } else if (!arena->anonymous()) {
        const auto named = backend_.inspect_segment(arena->name());
        if (!named && named.error().system_error == ENOENT)
            found.what = "its name was removed by another process";
        else if (named && named->identity != arena->identity())
            found.what = "its name refers to another file";
    }
    if (found.what.empty()) {
        if (fault && fault->intact == arena->size()) fault.reset();
        return !fault;
    }
    if (!fault || found.intact < fault->intact) newly_damaged_.push_back(arena);
    fault = std::move(found);
    return false;
}

void ArenaPool::check(std::uint64_t arena) {
    if (const auto found = arenas_.find(arena); found != arenas_.end()) (void)check(found->second);
}

void ArenaPool::check_all() {
    for (const auto& [id, arena] : arenas_) (void)check(arena);
}

std::vector<std::shared_ptr<Arena>> ArenaPool::damaged() const {
    std::vector<std::shared_ptr<Arena>> out;
    for (const auto& [id, arena] : arenas_)
        if (arena->fault) out.push_back(arena);
    return out;
}

bool ArenaPool::damaged(std::uint64_t arena) const {
    const auto found = arenas_.find(arena);
    return found != arenas_.end() && found->second->fault;
}

std::optional<std::string> ArenaPool::loss_of(const layout::SlotBody& body) const {
    const auto found = arenas_.find(body.arena);
    if (found == arenas_.end()) return "its arena no longer exists";
    const auto& arena = *found->second;
    const auto end = body.offset + body.actual_size;
    if (!arena.fault || arena.fault->intact == arena.size()) return std::nullopt;
    // There may be new pages below the end of the file instead of the truncated ones, if pages were
    // being reserved at that moment. So a region without any data is treated as lost.
    const auto data = data_ranges(arena.handle(), end);
    const bool whole = end <= arena.fault->intact && !data.empty() &&
                       data.back().offset + data.back().size > body.offset;
    return whole ? std::nullopt
                 : std::optional<std::string>("its memory was truncated by another process");
}

}  // namespace snakepit::shm
