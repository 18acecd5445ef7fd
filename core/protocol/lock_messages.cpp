// SPDX-License-Identifier: MIT
#include "protocol/messages.h"

namespace snakepit::shm {

wire::LockedRegionT to_wire(const RegionLocks& locks) {
    wire::LockedRegionT out;
    out.id = std::make_unique<wire::RegionKey>(to_wire(locks.id));
    out.inconsistent = locks.inconsistent;
    out.holder_count = locks.holder_count;
    out.waiter_count = locks.waiter_count;
    for (const auto& holder : locks.holders) {
        auto entry = std::make_unique<wire::LockHolderT>();
        entry->pid = holder.pid;
        entry->process = holder.process;
        entry->thread = holder.thread;
        entry->mode = static_cast<std::uint8_t>(holder.mode);
        entry->depth = holder.depth;
        entry->since = holder.since.micros;
        entry->token = holder.token;
        out.holders.push_back(std::move(entry));
    }
    for (const auto& waiter : locks.waiters) {
        auto entry = std::make_unique<wire::LockWaiterT>();
        entry->pid = waiter.pid;
        entry->process = waiter.process;
        entry->thread = waiter.thread;
        entry->mode = static_cast<std::uint8_t>(waiter.mode);
        entry->since = waiter.since.micros;
        entry->waits_for = waiter.waits_for;
        out.waiters.push_back(std::move(entry));
    }
    return out;
}

RegionLocks from_wire(const wire::LockedRegionT& region) {
    RegionLocks locks;
    if (region.id) locks.id = from_wire(*region.id);
    locks.inconsistent = region.inconsistent;
    locks.holder_count = region.holder_count;
    locks.waiter_count = region.waiter_count;
    for (const auto& entry : region.holders)
        if (entry)
            locks.holders.push_back({entry->pid,
                                     entry->process,
                                     entry->thread,
                                     static_cast<AccessMode>(entry->mode),
                                     entry->depth,
                                     {entry->since},
                                     entry->token});
    for (const auto& entry : region.waiters)
        if (entry)
            locks.waiters.push_back({entry->pid,
                                     entry->process,
                                     entry->thread,
                                     static_cast<AccessMode>(entry->mode),
                                     {entry->since},
                                     entry->waits_for});
    return locks;
}

}  // namespace snakepit::shm
