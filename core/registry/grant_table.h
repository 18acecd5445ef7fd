// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "layout/grants_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The manager's own record of clients and of what each was granted; the one thing recovery
// believes. Service thread only.
class GrantTable {
  public:
    // Opens `path`, or begins it anew when it is missing, damaged or of another registry (`epoch`).
    static Result<GrantTable> open(const std::string& path, std::uint64_t epoch);

    layout::ClientRecord& record(std::uint32_t client) const {
        return reinterpret_cast<layout::ClientRecord*>(file_.data() +
                                                       layout::GrantsOffsets::records)[client];
    }
    // An unused record, lowest index first; client_limit_exceeded when there is none.
    Result<std::uint32_t> unused_record() const;

    // True once `client` has a block of grants for the chunk that `slot` is in; before that nothing
    // was granted there, and nothing of that chunk may be touched in its lease page.
    bool chunk_reserved(std::uint32_t client, std::uint32_t slot) const {
        return block_of(client, slot) != nullptr;
    }
    // Gives it one; no_space when the file cannot grow.
    Status reserve_chunk(std::uint32_t client, std::uint32_t slot);
    // Slots below it are in chunks that may be reserved.
    std::uint32_t reserved_end(std::uint32_t client) const;

    // 0 where nothing was granted.
    std::uint32_t grant(std::uint32_t client, std::uint32_t slot) const {
        const auto* block = block_of(client, slot);
        return block ? block->words[slot % layout::kChunkSlots].load(std::memory_order_relaxed) : 0;
    }
    // Only 0 where no chunk is reserved.
    void set_grant(std::uint32_t client, std::uint32_t slot, std::uint32_t value) {
        if (auto* block = block_of(client, slot))
            block->words[slot % layout::kChunkSlots].store(value, std::memory_order_release);
    }
    // Forgets a client: its grants, then its record.
    void clear(std::uint32_t client);
    // Slots in which `client` has a grant.
    std::vector<std::uint32_t> granted_slots(std::uint32_t client) const;

  private:
    layout::GrantBlock& block(std::uint32_t index) const {
        return *reinterpret_cast<layout::GrantBlock*>(file_.data() +
                                                      layout::GrantsOffsets::block(index));
    }
    layout::GrantBlock* block_of(std::uint32_t client, std::uint32_t slot) const {
        const auto& own = blocks_[client];
        const auto chunk = slot / layout::kChunkSlots;
        return chunk < own.size() && own[chunk] != kNone ? &block(own[chunk]) : nullptr;
    }
    void assign(std::uint32_t client, std::uint32_t chunk, std::uint32_t block);
    void find_blocks();
    Status grow();

    static constexpr std::uint32_t kNone = ~0U;

    MappedFile file_;
    // By client and chunk: its block, or kNone. Rebuilt when the file is opened.
    std::vector<std::vector<std::uint32_t>> blocks_;
    std::vector<std::uint32_t> unused_;
};

}  // namespace snakepit::shm
