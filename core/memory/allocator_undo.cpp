// SPDX-License-Identifier: MIT
// Memory that was prepared but is not used, and segments that could not be removed at once.
#include <utility>

#include "memory/allocator.h"

namespace snakepit::shm {

using namespace layout;

void Allocator::undo(PendingAllocation& pending, bool made) {
    if (pending.pooled()) {
        pool.performed(pending.work, made);
        // A canary, or a copy, may be there already.
        pool.free(pending.slice, made && !pending.by_client);
        return;
    }
    pending.segment.handle.reset();  // removing it may need a descriptor, and none may be free
    remove(pending.slot, pending.name, pending.segment.identity);
}

void Allocator::abandon(PendingAllocation& pending, bool made) {
    if (pending.durable) (void)durable.forget(registry_.id(pending.slot));
    undo(pending, made);
    if (!pending.pooled()) bytes_dedicated_ -= page_up(pending.size);
    forget(pending.slot);
    registry_.release(pending.slot, nullptr);
}

void Allocator::abandon(std::uint32_t slot) {
    remove_unfinished(slot);
    forget(slot);
    registry_.release(slot, nullptr);
}

void Allocator::release_stashed(std::uint32_t slot) {
    if (const auto slice = pool.slice_of(registry_.body(slot))) pool.free_hollow(*slice);
    forget(slot);
    registry_.release(slot, nullptr);
}

void Allocator::abandon_for_good(std::uint32_t slot, const Event& event) {
    remove_unfinished(slot);
    auto word = registry_.control(slot);
    if (std::exchange(word.withdrawn, true)) return;  // an earlier manager did it
    forget(slot);
    registry_.commit(slot, word, event);
}

// The segment may not exist yet, or its identity may be unknown: then it is removed by name only if
// no process has it open. For a segment that was sent to its client, the slot has the identity.
void Allocator::remove_unfinished(std::uint32_t slot) {
    const auto id = registry_.id(slot);
    (void)durable.forget(id);
    const auto own = segment_name(registry_.instance(), id);
    const auto& body = registry_.body(slot);
    const auto known =
        registry_.intact(slot) ? FileIdentity{body.device, body.inode} : FileIdentity{};
    for (const auto& name : {own, anonymous_name(own)}) remove(slot, name, known);
    remove(slot, durable_name(id), {});
}

void Allocator::remove(std::uint32_t slot, const std::string& name, const FileIdentity& identity) {
    const auto removed = backend_.remove_segment(name, identity);
    if (removed) return;
    registry_.record(slot, {.kind = EventKind::leftover_kept,
                            .result = removed.error().code,
                            .text = removed.error().message});
    if (identity != FileIdentity{}) unremoved_.emplace_back(name, identity);
}

void Allocator::retry_removals() {
    std::erase_if(unremoved_, [this](const auto& segment) {
        const auto removed = backend_.remove_segment(segment.first, segment.second);
        if (removed) registry_.record({.kind = EventKind::leftover_removed, .text = segment.first});
        // Another segment has its name now.
        return removed || removed.error().code == ErrorCode::security_violation;
    });
}

}  // namespace snakepit::shm
