// SPDX-License-Identifier: MIT
#include "registry/grant_table.h"

#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace snakepit::shm {

using namespace layout;

Result<GrantTable> GrantTable::open(const std::string& path, std::uint64_t epoch) {
    for (int attempt = 0;; ++attempt) {
        bool created = false;
        auto file = MappedFile::open_or_create(path, GrantsOffsets::end, created);
        GrantTable table;
        if (file) {
            table.file_ = std::move(*file);
            auto& header = *reinterpret_cast<GrantsHeader*>(table.file_.data());
            if (created) {
                SHM_TRY(table.file_.reserve(0, GrantsOffsets::rows));
                header.magic = kGrantsMagic;
                header.version = kVersion;
                header.max_clients = kMaxClients;
                header.epoch = epoch;
            }
            if (header.magic == kGrantsMagic && header.version == kVersion && header.epoch == epoch)
                return table;
        } else if (file.error().code != ErrorCode::corruption_detected) {
            return fail(std::move(file).error());
        }
        // Grants of another registry mean nothing, and half-made ones neither: begin anew.
        if (attempt > 0 || ::unlink(path.c_str()) != 0)
            return fail(system_error(errno, fmt::format("cannot begin {} anew", path)));
    }
}

Result<std::uint32_t> GrantTable::unused_record() const {
    for (std::uint32_t i = 0; i < kMaxClients; ++i)
        if (record(i).serial.load(std::memory_order_relaxed) == 0) return i;
    return fail(ErrorCode::client_limit_exceeded,
                fmt::format("{} clients are connected already", kMaxClients),
                "end programs that no longer need shared memory");
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
    // An earlier client of this index may have left words behind when it was cut off mid-clear.
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
