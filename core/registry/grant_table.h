// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "layout/grants_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The manager's record of clients and their grants; the only record that recovery trusts. Service
// thread only.
class GrantTable {
  public:
    // Opens `path`, or recreates it if it is missing, damaged or of another registry (`epoch`).
    static Result<GrantTable> open(const std::string& path, std::uint64_t epoch);

    layout::ClientRecord& record(std::uint32_t client) const {
        return reinterpret_cast<layout::ClientRecord*>(file_.data() +
                                                       layout::GrantsOffsets::records)[client];
    }
    // The unused record with the lowest index; client_limit_exceeded if there is none.
    Result<std::uint32_t> unused_record() const;

    // True once the words around `slot` are reserved for `client`. Before that nothing was granted
    // there, and the words must not be accessed.
    bool chunk_reserved(std::uint32_t client, std::uint32_t slot) const;
    Status reserve_chunk(std::uint32_t client, std::uint32_t slot);
    void set_chunk(std::uint32_t client, std::uint32_t slot);

    // 0: nothing granted.
    std::uint32_t grant(std::uint32_t client, std::uint32_t slot) const {
        return chunk_reserved(client, slot) ? word(client, slot).load(std::memory_order_relaxed)
                                            : 0;
    }
    void set_grant(std::uint32_t client, std::uint32_t slot, std::uint32_t value) {
        word(client, slot).store(value, std::memory_order_release);
    }
    // Clears a client: its grants, then its record.
    void clear(std::uint32_t client);
    // Slots in which `client` has a grant.
    std::vector<std::uint32_t> granted_slots(std::uint32_t client) const;

  private:
    std::atomic<std::uint32_t>& word(std::uint32_t client, std::uint32_t slot) const {
        return reinterpret_cast<std::atomic<std::uint32_t>*>(
            file_.data() + layout::GrantsOffsets::row(client))[slot];
    }
    MappedFile file_;
};

}  // namespace snakepit::shm
