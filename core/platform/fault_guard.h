// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm {

// While this object exists, a SIGBUS of this thread inside [base, base + size) does not end the
// process: the page is replaced by a private zero page, and faulted() becomes true. For memory that
// another process may truncate (lease pages). Guards on one thread nest. Other faults go to the
// previous handler, or end the process as usual.
class FaultGuard {
  public:
    FaultGuard(void* base, std::size_t size);
    ~FaultGuard();
    FaultGuard(const FaultGuard&) = delete;
    FaultGuard& operator=(const FaultGuard&) = delete;

    bool faulted() const { return faulted_; }
    // Whether any guard of this thread has faulted.
    static bool faulted_here();

  private:
    friend struct FaultGuardAccess;
    FaultGuard* outer_;
    std::byte* base_;
    std::size_t size_;
    volatile bool faulted_ = false;
};

}  // namespace snakepit::shm
