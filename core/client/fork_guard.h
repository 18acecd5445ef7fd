// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace snakepit::shm {

class ForkGuard;

// An object with cleanup work in a forked child: called there once, on the only thread, and limited
// to what is allowed after fork().
class ForkAware {
  public:
    virtual ~ForkAware() = default;
    virtual void after_fork_in_child() = 0;

  private:
    friend class ForkGuard;
    ForkAware* next_ = nullptr;  // in the guard's list
};

// Process-wide. A child inherits neither leases nor mappings and must detect that. Its inherited
// descriptors must be closed, or a connection would outlive its process. A child created without
// pthread_atfork (clone, syscall(SYS_fork)) is detected too, when it connects or forks; the state
// it inherited may be inconsistent.
class ForkGuard {
  public:
    static ForkGuard& instance();

    void enter(ForkAware* member);
    void leave(ForkAware* member);

    // Held while a descriptor with a liveness lock, or a mapping not yet excluded from inheritance,
    // is in use: fork waits for it. Only in a settled process.
    std::unique_lock<std::mutex> no_fork() { return std::unique_lock(gate_); }

    // A number that no ancestor of this process had; 0 in a child that has not settled. It is read
    // from a page that the kernel wipes in a child, so that the check costs one load and does not
    // depend on process ids, which are reused.
    std::uint64_t here() const { return page_->number.load(std::memory_order_relaxed); }
    // Assigns a number to a forked process; call before using the gate.
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
