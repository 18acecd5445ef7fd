// SPDX-License-Identifier: MIT
#include "client/fork_guard.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

#include "base/time.h"

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
    ::pthread_atfork([] { instance().before_fork(); }, [] { instance().after_fork_in_parent(); },
                     [] { instance().after_fork_in_child(); });
}

// With the gate.
bool ForkGuard::members_ready() {
    bool ready = true;
    for (auto* member = members_; member; member = member->next_) {
        if (member->heritage_ == ForkAware::Heritage::some) continue;
        member->heritage_ = member->before_fork(fork_.number);
        ready = ready && member->heritage_ != ForkAware::Heritage::busy;
    }
    return ready;
}

// Leaves the gate locked. Another thread may hold a client's mutex and wait for the gate, so the
// members are only tried.
void ForkGuard::before_fork() {
    settle();
    forking_.lock();
    gate_.lock();
    fork_.number = ++forks_;
    const auto until = monotonic_nanos() + std::int64_t{ForkAware::kCallsMs} * 1'000'000;
    while (!members_ready() && monotonic_nanos() < until) {
        gate_.unlock();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        gate_.lock();
    }
    for (auto* member = members_; member; member = member->next_) {
        if (member->heritage_ != ForkAware::Heritage::some || fork_.writer) continue;
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) break;  // then nobody waits for the child
        fork_.reader.reset(ends[0]);
        fork_.writer.reset(ends[1]);
    }
}

void ForkGuard::after_fork_in_parent() {
    for (auto* member = members_; member; member = member->next_)
        if (std::exchange(member->heritage_, ForkAware::Heritage::none) ==
            ForkAware::Heritage::some)
            member->after_fork_in_parent();
    auto fork = std::exchange(fork_, {});
    fork.writer.reset();
    gate_.unlock();
    forking_.unlock();
    if (!fork.reader) return;
    wait_for_child(fork.reader);
    const auto held = no_fork();
    for (auto* member = members_; member; member = member->next_) member->inherited(fork.number);
}

void ForkGuard::after_fork_in_child() {
    auto* const members = members_;
    settle();  // empties the list
    fork_.reader.reset();
    for (auto* member = members; member;) {
        auto* const next = member->next_;
        if (std::exchange(member->heritage_, ForkAware::Heritage::none) ==
            ForkAware::Heritage::some) {
            member->inherit();
            enter(member);
        }
        member = next;
    }
    fork_.writer.reset();
}

// Until it closes its end of the pipe. Our own end is closed, also if there is no child.
void ForkGuard::wait_for_child(const Handle& reader) {
    const auto until = monotonic_nanos() + std::int64_t{ForkAware::kPatienceMs} * 1'000'000;
    for (;;) {
        const auto left = (until - monotonic_nanos()) / 1'000'000;
        if (left <= 0) return;
        pollfd end{reader.get(), POLLIN, 0};
        if (::poll(&end, 1, static_cast<int>(left)) >= 0 || errno != EINTR) return;
    }
}

void ForkGuard::settle() {
    if (page_->number.load(std::memory_order_acquire) != 0) return;
    std::uint32_t nobody = 0;
    if (!page_->settling.compare_exchange_strong(nobody, 1)) {
        while (page_->number.load(std::memory_order_acquire) == 0) std::this_thread::yield();
        return;
    }
    // A thread that held one at the fork does not exist here and would never release it.
    new (&gate_) std::mutex;
    new (&forking_) std::mutex;
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
