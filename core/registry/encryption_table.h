// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "layout/encrypted_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// The manager's record of the current version of each encrypted region's contents; it makes older
// versions unusable. One store of one word is the commit, so a kill leaves the old version or the
// new one. Service thread only.
class EncryptionTable {
  public:
    // Opens `path`, or recreates it if it is missing, damaged or of another registry (`epoch`).
    static Result<EncryptionTable> open(const std::string& path, std::uint64_t epoch);

    // Assigns the slot to a new region without contents. no_space if the file cannot grow.
    Status begin(std::uint32_t slot, const RegionId& id);
    // The current version; empty if the slot's record is damaged or belongs to another region.
    std::optional<layout::EncryptionBody> find(std::uint32_t slot, const RegionId& id) const;
    // Only after begin() for this slot.
    void commit(std::uint32_t slot, layout::EncryptionBody body);

  private:
    layout::EncryptionRecord& record(std::uint32_t slot) const {
        return *reinterpret_cast<layout::EncryptionRecord*>(
            file_.data() + layout::EncryptionOffsets::record(slot));
    }
    MappedFile file_;
};

}  // namespace snakepit::shm
