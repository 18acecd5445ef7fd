// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace snakepit::shm {

// Private pages for secrets: excluded from core dumps and forked children, locked in memory if the
// limit allows, and overwritten before they are released. Whole pages, all zero at first.
// Move-only.
class LockedMemory {
  public:
    LockedMemory() = default;
    static Result<LockedMemory> make(std::size_t size);
    LockedMemory(LockedMemory&& other) noexcept;
    LockedMemory& operator=(LockedMemory&& other) noexcept;
    ~LockedMemory() { reset(); }

    std::byte* data() const { return data_; }
    std::size_t size() const { return size_; }  // as requested, bytes
    std::span<std::byte> bytes() const { return {data_, size_}; }
    bool valid() const { return data_ != nullptr; }
    // False: the system may write it to swap, because RLIMIT_MEMLOCK is reached.
    bool locked() const { return locked_; }
    void reset();
    // Drops the pages without accessing them, for a forked child, which did not inherit them.
    void abandon();

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    bool locked_ = false;
};

// Overwrites in a way that no optimiser removes.
void wipe(std::span<std::byte> bytes);

}  // namespace snakepit::shm
