// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace snakepit::shm {

// Private pages for what must not leave the process: kept out of core dumps and away from forked
// children, out of swap where the limit of locked memory allows, overwritten before they are given
// back. Whole pages, all zero at first. Move-only.
class LockedMemory {
  public:
    LockedMemory() = default;
    static Result<LockedMemory> make(std::size_t size);
    LockedMemory(LockedMemory&& other) noexcept;
    LockedMemory& operator=(LockedMemory&& other) noexcept;
    ~LockedMemory() { reset(); }

    std::byte* data() const { return data_; }
    std::size_t size() const { return size_; }  // as asked for, bytes
    std::span<std::byte> bytes() const { return {data_, size_}; }
    bool valid() const { return data_ != nullptr; }
    // False: the system may write it to swap, because RLIMIT_MEMLOCK is reached.
    bool locked() const { return locked_; }
    void reset();
    // Lets go without touching it: for what a forked child never got.
    void abandon();

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    bool locked_ = false;
};

// Overwrites in a way that no optimiser removes.
void wipe(std::span<std::byte> bytes);

}  // namespace snakepit::shm
