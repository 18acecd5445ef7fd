// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "command.h"
#include "platform/locked_memory.h"

namespace snakepit::shm::cli {

// Bytes of a region, as the command line names them.
struct RegionPart {
    std::string id;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;  // 0: to the end
};

// Part of a region, mapped like by any other program, for as long as this lives.
class Contents {
  public:
    static Result<Contents> open(const Context& context, const RegionPart& part, AccessMode access);

    std::span<std::byte> part() const { return part_; }
    const RegionInfo& info() const { return info_; }
    // After the first `size` bytes of the part have been changed.
    Status written(std::uint64_t size) const;

  private:
    // Of an encrypted region the part alone is decrypted, or encrypted again.
    Status copy(std::uint64_t size, AccessMode access);

    std::unique_ptr<ManagerClient> client_;  // gives the reference back when it goes
    RegionInfo info_;
    std::uint64_t offset_ = 0;
    LockedMemory copy_;
    std::span<std::byte> part_;
};

}  // namespace snakepit::shm::cli
