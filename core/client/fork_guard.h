// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/handle.h"

namespace snakepit::shm {

class ForkGuard;

// An object that takes part in forks. The functions run on the forking thread and are called with
// the gate held, except inherit().
class ForkAware {
  public:
    virtual ~ForkAware() = default;
    // What the child must hold before the parent may release it.
    enum class Heritage : std::uint8_t { none, some, busy };
    // Before fork(): holds what a child will inherit, until inherited(). `busy`: another thread is
    // changing it; called again for up to kCallsMs.
    virtual Heritage before_fork(std::uint64_t /*fork*/) { return Heritage::none; }
    virtual void after_fork_in_parent() {}
    // In the parent: the child has its own references, or it ended, or it needed too long.
    virtual void inherited(std::uint64_t /*fork*/) {}
    // In the child, on its only thread: closes what must not be inherited. Limited to what is
    // allowed after fork().
    virtual void after_fork_in_child() {}
    // In the child afterwards, if before_fork() returned `some`: acquires the child's references.
    // The parent waits for it.
    virtual void inherit() {}

    // How long the parent waits for a child that acquires its references, and for other threads'
    // calls before it forks.
    static constexpr int kPatienceMs = 10'000, kCallsMs = 2000;

  private:
    friend class ForkGuard;
    ForkAware* next_ = nullptr;  // in the guard's list
    Heritage heritage_ = Heritage::none;
};

// Process-wide. A child inherits no connection and must detect that. Its inherited descriptors must
// be closed, or a connection would outlive its process. What a member holds for its child is
// inherited (ForkAware). A child created without pthread_atfork (clone, syscall(SYS_fork)) inherits
// nothing and is detected too, when it connects or forks; the state it inherited may be
// inconsistent.
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
    // The fork in progress, between its two handlers.
    struct Fork {
        std::uint64_t number = 0;
        Handle reader, writer;  // of a pipe that the child closes once it has its references
    };
    ForkGuard();
    void before_fork();
    bool members_ready();
    void after_fork_in_parent();
    void after_fork_in_child();
    static void wait_for_child(const Handle& reader);

    std::mutex forking_;  // one fork at a time, between its handlers
    std::mutex gate_;
    ForkAware* members_ = nullptr;  // a list that one store changes: whole in a child at any time
    Page* page_ = nullptr;
    std::uint64_t last_ = 0;   // the highest number of this process and its ancestors
    std::uint64_t forks_ = 0;  // of this process
    Fork fork_;
};

}  // namespace snakepit::shm
