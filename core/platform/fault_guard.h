// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm {

// While one of these lives, a SIGBUS that this thread gets inside [base, base + size) does not end
// the process: the page is replaced by a private page of zeros and `faulted` tells. For memory
// whose other user may cut it short (lease pages). Guards on one thread nest.
// Faults elsewhere go to the handler that was there before, or end the process as ever.
class FaultGuard {
  public:
    FaultGuard(void* base, std::size_t size);
    ~FaultGuard();
    FaultGuard(const FaultGuard&) = delete;
    FaultGuard& operator=(const FaultGuard&) = delete;

    bool faulted() const { return faulted_; }
    // Whether one of the guards of this thread has.
    static bool faulted_here();

  private:
    friend struct FaultGuardAccess;
    FaultGuard* outer_;
    std::byte* base_;
    std::size_t size_;
    volatile bool faulted_ = false;
};

}  // namespace snakepit::shm
