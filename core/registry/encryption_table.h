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

// The manager's own record of which version of an encrypted region's contents counts; what makes
// an older one worthless. One store of one word is the commit, so a kill leaves the version before
// or the one after. Service thread only.
class EncryptionTable {
  public:
    // Opens `path`, or begins it anew when it is missing, damaged or of another registry (`epoch`).
    static Result<EncryptionTable> open(const std::string& path, std::uint64_t epoch);

    // A region of its own from now on, with no contents yet. no_space when the file cannot grow.
    Status begin(std::uint32_t slot, const RegionId& id);
    // The version that counts; nothing when the slot's record is damaged or another region's.
    std::optional<layout::EncryptionBody> find(std::uint32_t slot, const RegionId& id) const;
    // Only for a slot whose record was begun.
    void commit(std::uint32_t slot, layout::EncryptionBody body);

  private:
    layout::EncryptionRecord& record(std::uint32_t slot) const {
        return *reinterpret_cast<layout::EncryptionRecord*>(
            file_.data() + layout::EncryptionOffsets::record(slot));
    }
    MappedFile file_;
};

}  // namespace snakepit::shm
