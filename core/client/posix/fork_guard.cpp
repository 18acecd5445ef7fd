// SPDX-License-Identifier: MIT
#include "client/fork_guard.h"

#include <pthread.h>
#include <sys/mman.h>

#include <new>
#include <thread>

namespace snakepit::shm {

// Never destroyed: a thread may use it while static objects are destroyed.
ForkGuard& ForkGuard::instance() {
    static auto* guard = new ForkGuard;
    return *guard;
}

ForkGuard::ForkGuard() {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || ::madvise(page, 4096, MADV_WIPEONFORK) != 0) throw std::bad_alloc();
    page_ = new (page) Page{};
    settle();
    ::pthread_atfork(
        [] {
            instance().settle();
            instance().gate_.lock();
        },
        [] { instance().gate_.unlock(); },
        [] {
            instance().gate_.unlock();
            instance().settle();
        });
}

void ForkGuard::settle() {
    if (page_->number.load(std::memory_order_acquire) != 0) return;
    std::uint32_t nobody = 0;
    if (!page_->settling.compare_exchange_strong(nobody, 1)) {
        while (page_->number.load(std::memory_order_acquire) == 0) std::this_thread::yield();
        return;
    }
    // A thread that held the gate at the fork does not exist here and would never release it.
    new (&gate_) std::mutex;
    for (auto* member = members_; member; member = member->next_) member->after_fork_in_child();
    members_ = nullptr;
    page_->number.store(++last_, std::memory_order_release);
}

void ForkGuard::enter(ForkAware* member) {
    const auto held = no_fork();
    member->next_ = members_;
    members_ = member;
}

void ForkGuard::leave(ForkAware* member) {
    const auto held = no_fork();
    for (auto** link = &members_; *link; link = &(*link)->next_)
        if (*link == member) {
            *link = member->next_;
            return;
        }
}

}  // namespace snakepit::shm
