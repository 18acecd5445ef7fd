// SPDX-License-Identifier: MIT
#include "registry/grant_table.h"

#include <fmt/format.h>

#include "registry/epoch_file.h"

namespace snakepit::shm {

using namespace layout;

Result<GrantTable> GrantTable::open(const std::string& path, std::uint64_t epoch) {
    GrantTable table;
    SHM_ASSIGN(table.file_, open_epoch_file(path, {kGrantsMagic, kVersion, kMaxClients, epoch, 0},
                                            GrantsOffsets::rows, GrantsOffsets::end));
    return table;
}

Result<std::uint32_t> GrantTable::unused_record() const {
    for (std::uint32_t i = 0; i < kMaxClients; ++i)
        if (record(i).serial.load(std::memory_order_relaxed) == 0) return i;
    return fail(ErrorCode::client_limit_exceeded,
                fmt::format("{} clients are already connected", kMaxClients),
                "stop programs that no longer need shared memory");
}

bool GrantTable::chunk_reserved(std::uint32_t client, std::uint32_t slot) const {
    const auto chunk = slot / kChunkSlots;
    return (record(client).chunks[chunk / 64].load(std::memory_order_relaxed) >> (chunk % 64) &
            1) != 0;
}

Status GrantTable::reserve_chunk(std::uint32_t client, std::uint32_t slot) {
    const auto first = slot / kChunkSlots * kChunkSlots;
    SHM_TRY(file_.reserve(GrantsOffsets::row(client) + std::uint64_t{first} * 4,
                          std::uint64_t{kChunkSlots} * 4));
    // An interrupted clear() may have left words of an earlier client with this index.
    for (std::uint32_t i = 0; i < kChunkSlots; ++i)
        word(client, first + i).store(0, std::memory_order_relaxed);
    return {};
}

void GrantTable::set_chunk(std::uint32_t client, std::uint32_t slot) {
    const auto chunk = slot / kChunkSlots;
    record(client).chunks[chunk / 64].fetch_or(std::uint64_t{1} << (chunk % 64),
                                               std::memory_order_release);
}

std::vector<std::uint32_t> GrantTable::granted_slots(std::uint32_t client) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t first = 0; first < kMaxSlots; first += kChunkSlots) {
        if (!chunk_reserved(client, first)) continue;
        for (auto slot = first; slot < first + kChunkSlots; ++slot)
            if (word(client, slot).load(std::memory_order_relaxed) != 0) out.push_back(slot);
    }
    return out;
}

void GrantTable::clear(std::uint32_t client) {
    for (const auto slot : granted_slots(client)) set_grant(client, slot, 0);
    auto& entry = record(client);
    entry.serial.store(0, std::memory_order_release);
    for (auto& bits : entry.chunks) bits.store(0, std::memory_order_relaxed);
}

}  // namespace snakepit::shm
