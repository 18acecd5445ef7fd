// SPDX-License-Identifier: MIT
#include "registry/lock_table.h"

#include <algorithm>

#include <fmt/format.h>

#include "registry/epoch_file.h"

namespace snakepit::shm {

using namespace layout;

Result<LockTable> LockTable::open(const std::string& path, std::uint64_t epoch) {
    LockTable table;
    SHM_ASSIGN(table.file_, open_epoch_file(path, {kLocksMagic, kVersion, kMaxLocks, epoch, 0},
                                            {LocksOffsets::records, LocksOffsets::end}));
    for (std::uint32_t i = 0; i < table.end(); ++i)
        if (table.record(i).serial.load(std::memory_order_relaxed) == 0) table.unused_.push_back(i);
    return table;
}

Result<std::uint32_t> LockTable::reserve() {
    if (unused_.empty()) {
        const auto first = frontier().load(std::memory_order_relaxed);
        if (first >= kMaxLocks)
            return fail(ErrorCode::reference_limit,
                        fmt::format("{} locks are already held or queued", kMaxLocks),
                        "'snakepit-shm locks' lists them; release those that are not needed");
        const auto from = LocksOffsets::record(first),
                   to = LocksOffsets::record(first + kChunkLocks);
        SHM_TRY(file_.reserve(from, to - from));
        SHM_TRY(file_.extend(to));
        for (std::uint32_t i = 0; i < kChunkLocks; ++i) unused_.push_back(first + i);
        frontier().store(first + kChunkLocks, std::memory_order_release);
    }
    const auto index = unused_.front();
    unused_.pop_front();
    return index;
}

std::uint32_t LockTable::end() const {
    const auto in_file = (file_.size() - LocksOffsets::records) / sizeof(LockRecord);
    return std::min(frontier().load(std::memory_order_relaxed),
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(in_file, kMaxLocks)));
}

void LockTable::commit(std::uint32_t index, const Lock& lock, const LockLevels& levels) {
    auto& to = record(index);
    to.levels.store(levels.encode(), std::memory_order_relaxed);
    to.generation = lock.generation;
    to.token = lock.token;
    to.since = lock.since;
    to.slot = lock.slot;
    to.thread = lock.thread;
    to.delegation.store(0, std::memory_order_relaxed);
    to.serial.store(lock.serial, std::memory_order_release);
}

void LockTable::set_levels(std::uint32_t index, const LockLevels& levels) {
    record(index).levels.store(levels.encode(), std::memory_order_release);
}

void LockTable::delegate(std::uint32_t index, const Delegation& delegation) {
    auto& to = record(index);
    to.base = delegation.base;
    to.delegation.store(DelegationWord::make(delegation.client, delegation.writable),
                        std::memory_order_release);
}

void LockTable::absorb(std::uint32_t index, const Lock& lock, const LockLevels& levels) {
    auto& to = record(index);
    to.levels.store(levels.encode(), std::memory_order_relaxed);
    to.token = lock.token;
    to.since = lock.since;
    to.thread = lock.thread;
    to.delegation.store(0, std::memory_order_release);
}

std::optional<LockTable::Delegation> LockTable::delegation(std::uint32_t index) const {
    const auto& from = record(index);
    const auto word = from.delegation.load(std::memory_order_relaxed);
    if (word == 0) return std::nullopt;
    return Delegation{DelegationWord::client(word), DelegationWord::writable(word), from.base};
}

void LockTable::clear(std::uint32_t index) {
    record(index).serial.store(0, std::memory_order_release);
    unused_.push_back(index);
}

LockTable::Lock LockTable::lock(std::uint32_t index) const {
    const auto& from = record(index);
    return {from.serial.load(std::memory_order_relaxed),
            from.generation,
            from.token,
            from.since,
            from.slot,
            from.thread};
}

std::vector<std::uint32_t> LockTable::used() const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t i = 0; i < end(); ++i)
        if (record(i).serial.load(std::memory_order_relaxed) != 0) out.push_back(i);
    return out;
}

}  // namespace snakepit::shm
