// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>

namespace snakepit::shm {

class ForkGuard;

// What must happen in a forked child to whatever registered: it is called there once, on the only
// thread, and may only do what is allowed after fork.
class ForkAware {
  public:
    virtual ~ForkAware() = default;
    virtual void after_fork_in_child() = 0;
};

// Process-wide. A child inherits neither leases nor mappings; it has to notice, and descriptors it
// did inherit must be closed, or a connection would outlive the process it stands for.
class ForkGuard {
  public:
    static ForkGuard& instance();

    void enter(ForkAware* member);
    void leave(ForkAware* member);

    // Held while a descriptor that holds a liveness lock, or a mapping not yet marked as not
    // inherited, is in hand: fork waits for it.
    std::unique_lock<std::mutex> no_fork() { return std::unique_lock(gate_); }

    // A number that is different in every process of a family; read from a page that the kernel
    // wipes in a child, so that asking costs one load.
    std::uint64_t here() const { return *stamp_; }
    // Gives a process that was forked a number of its own; called when it connects.
    void settle();

  private:
    ForkGuard();
    std::mutex gate_;
    volatile std::uint64_t* stamp_ = nullptr;
};

}  // namespace snakepit::shm
