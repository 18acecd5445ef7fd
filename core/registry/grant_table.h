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

    // True once the words around `slot` were reserved for `client`; before that, nothing was
    // granted there and nothing may be touched.
    bool chunk_reserved(std::uint32_t client, std::uint32_t slot) const;
    Status reserve_chunk(std::uint32_t client, std::uint32_t slot);
    void set_chunk(std::uint32_t client, std::uint32_t slot);

    // 0 where nothing was granted.
    std::uint32_t grant(std::uint32_t client, std::uint32_t slot) const {
        return chunk_reserved(client, slot) ? word(client, slot).load(std::memory_order_relaxed)
                                            : 0;
    }
    void set_grant(std::uint32_t client, std::uint32_t slot, std::uint32_t value) {
        word(client, slot).store(value, std::memory_order_release);
    }
    // Forgets a client: its grants, then its record.
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

// The text of an event about this client: its process and, after a NUL, the name of its worker.
inline std::string client_text(const layout::ClientRecord& record) {
    std::string out = record.process;
    if (record.worker[0] != '\0') out.append(1, '\0').append(record.worker);
    return out;
}

}  // namespace snakepit::shm
