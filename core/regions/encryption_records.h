// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "crypto/encrypted_chunks.h"
#include "regions/service_state.h"

namespace snakepit::shm {

// Which version of an encrypted region's contents counts, and whether its segment has that one.
// Service thread only.
class EncryptionRecords : RegionPart {
  public:
    explicit EncryptionRecords(ServiceState& state) : RegionPart(state) {}

    bool ready() const { return state_.encryption.has_value(); }
    // Before a region of such a level becomes LIVE.
    Status begin(std::uint32_t slot);
    Result<EncryptionState> read(std::uint32_t slot) const;
    void commit(std::uint32_t slot, const layout::EncryptionBody& body);
    // What is wrong with the record or the chunk table that counts. None: the region is not
    // encrypted, or all is well.
    std::optional<std::string> fault_of(std::uint32_t slot) const;
    SecurityLevel level(std::uint32_t slot) const {
        return static_cast<SecurityLevel>(state_.registry.body(slot).security_level);
    }
};

// What is wrong with the contents of an encrypted region's segment, compared with the version that
// counts; none when all is well. Takes as long as decrypting it. The segment is read through the
// descriptor, so that one that was cut short is an answer and never a fault. Any thread.
std::optional<std::string> check_contents(const Handle& segment, const EncryptionState& state,
                                          bool signs, std::span<const std::byte> key);

}  // namespace snakepit::shm
