// SPDX-License-Identifier: MIT
#include "registry/grant_table.h"

#include <utility>

#include <fmt/format.h>

#include "registry/epoch_file.h"

namespace snakepit::shm {

using namespace layout;

Result<GrantTable> GrantTable::open(const std::string& path, std::uint64_t epoch) {
    GrantTable table;
    SHM_ASSIGN(table.file_, open_epoch_file(path, {kGrantsMagic, kVersion, kMaxClients, epoch, 0},
                                            {GrantsOffsets::blocks, GrantsOffsets::end}));
    table.blocks_.resize(kMaxClients);
    table.find_blocks();
    return table;
}

Result<std::uint32_t> GrantTable::unused_record() const {
    for (std::uint32_t i = 0; i < kMaxClients; ++i)
        if (record(i).serial.load(std::memory_order_relaxed) == 0) return i;
    return fail(ErrorCode::client_limit_exceeded,
                fmt::format("{} clients are connected already", kMaxClients),
                "end programs that no longer need shared memory");
}

void GrantTable::assign(std::uint32_t client, std::uint32_t chunk, std::uint32_t block) {
    auto& own = blocks_[client];
    if (chunk >= own.size()) own.resize(chunk + 1, kNone);
    own[chunk] = block;
}

void GrantTable::find_blocks() {
    for (std::uint32_t i = 0; i < GrantsOffsets::blocks_in(file_.size()); ++i) {
        auto& found = block(i);
        const auto serial = found.serial.load(std::memory_order_relaxed);
        const bool counts = serial != 0 && found.client < kMaxClients &&
                            found.chunk < kMaxSlots / kChunkSlots &&
                            record(found.client).serial.load(std::memory_order_relaxed) == serial &&
                            !block_of(found.client, found.chunk * kChunkSlots);
        if (counts) {
            assign(found.client, found.chunk, i);
        } else {
            found.serial.store(0, std::memory_order_relaxed);
            unused_.push_back(i);
        }
    }
}

Status GrantTable::grow() {
    const auto first = GrantsOffsets::blocks_in(file_.size());
    const auto from = GrantsOffsets::block(first), to = GrantsOffsets::block(first + kBlockStep);
    SHM_TRY(file_.reserve(from, to - from));
    SHM_TRY(file_.extend(to));
    for (auto i = first + kBlockStep; i-- > first;) unused_.push_back(i);
    return {};
}

Status GrantTable::reserve_chunk(std::uint32_t client, std::uint32_t slot) {
    if (unused_.empty()) SHM_TRY(grow());
    const auto index = unused_.back();
    unused_.pop_back();
    auto& fresh = block(index);
    fresh.client = client;
    fresh.chunk = slot / kChunkSlots;
    for (auto& word : fresh.words) word.store(0, std::memory_order_relaxed);
    fresh.serial.store(record(client).serial.load(std::memory_order_relaxed),
                       std::memory_order_release);
    assign(client, fresh.chunk, index);
    return {};
}

std::uint32_t GrantTable::reserved_end(std::uint32_t client) const {
    return static_cast<std::uint32_t>(blocks_[client].size()) * kChunkSlots;
}

std::vector<std::uint32_t> GrantTable::granted_slots(std::uint32_t client) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t first = 0; first < reserved_end(client); first += kChunkSlots) {
        const auto* granted = block_of(client, first);
        if (!granted) continue;
        for (std::uint32_t i = 0; i < kChunkSlots; ++i)
            if (granted->words[i].load(std::memory_order_relaxed) != 0) out.push_back(first + i);
    }
    return out;
}

void GrantTable::clear(std::uint32_t client) {
    for (const auto index : std::exchange(blocks_[client], {})) {
        if (index == kNone) continue;
        block(index).serial.store(0, std::memory_order_release);
        unused_.push_back(index);
    }
    record(client).serial.store(0, std::memory_order_release);
}

}  // namespace snakepit::shm
