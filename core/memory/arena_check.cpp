// SPDX-License-Identifier: MIT
// What other people do to the files of arenas: names removed (RemoveIPC=, a tidy-up), files cut
// (`> file`), names that lead elsewhere. Our descriptor and our mapping lead to what was made, so
// contents that are still there can be moved out.
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
        found.what = "its file was cut by someone else";
    } else if (state->size > arena->size()) {
        found.what = "its file was lengthened by someone else";
    } else if (!arena->anonymous()) {
        const auto named = backend_.inspect_segment(arena->name());
        if (!named && named.error().system_error == ENOENT)
            found.what = "its name was removed by someone else";
        else if (named && named->identity != arena->identity())
            found.what = "its name leads to another file";
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
    if (found == arenas_.end()) return "its arena is gone";
    const auto& arena = *found->second;
    const auto end = body.offset + body.actual_size;
    if (!arena.fault || arena.fault->intact == arena.size()) return std::nullopt;
    // Below the end of the file there may be new pages in place of what was cut, if pages were
    // reserved at that moment: where a region has no data at all it is not believed.
    const auto data = data_ranges(arena.handle(), end);
    const bool whole = end <= arena.fault->intact && !data.empty() &&
                       data.back().offset + data.back().size > body.offset;
    return whole ? std::nullopt
                 : std::optional<std::string>("its memory was cut away by someone else");
}

}  // namespace snakepit::shm
