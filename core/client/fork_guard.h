// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
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

  private:
    friend class ForkGuard;
    ForkAware* next_ = nullptr;  // in the guard's list
};

// Process-wide. A child inherits neither leases nor mappings; it has to notice, and descriptors it
// did inherit must be closed, or a connection would outlive the process it stands for.
// A child that was made past pthread_atfork (clone, syscall(SYS_fork)) is noticed as well, when it
// connects or forks itself; what it inherited may have been in the middle of a change.
class ForkGuard {
  public:
    static ForkGuard& instance();

    void enter(ForkAware* member);
    void leave(ForkAware* member);

    // Held while a descriptor that holds a liveness lock, or a mapping not yet marked as not
    // inherited, is in hand: fork waits for it. In a process that has settled.
    std::unique_lock<std::mutex> no_fork() { return std::unique_lock(gate_); }

    // A number that no ancestor of this process had; 0 in a child that has not settled. Read from a
    // page that the kernel wipes in a child, so that asking costs one load and no process id, which
    // another process may get again, is believed.
    std::uint64_t here() const { return page_->number.load(std::memory_order_relaxed); }
    // Gives a process that was forked a number of its own; called before the gate is used.
    void settle();

  private:
    struct Page {
        std::atomic<std::uint64_t> number;
        std::atomic<std::uint32_t> settling;
    };
    ForkGuard();
    std::mutex gate_;
    ForkAware* members_ = nullptr;  // a list that one store changes: whole in a child at any time
    Page* page_ = nullptr;
    std::uint64_t last_ = 0;  // the highest number of this process and its ancestors
};

}  // namespace snakepit::shm
