// SPDX-License-Identifier: MIT
#include "client/fork_guard.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <vector>

namespace snakepit::shm {

namespace {

// Never destroyed: a thread may still be inside while static objects go.
std::vector<ForkAware*>& members() {
    static auto* list = new std::vector<ForkAware*>;
    return *list;
}

}  // namespace

ForkGuard& ForkGuard::instance() {
    static auto* guard = new ForkGuard;
    return *guard;
}

ForkGuard::ForkGuard() {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || ::madvise(page, 4096, MADV_WIPEONFORK) != 0) throw std::bad_alloc();
    stamp_ = static_cast<volatile std::uint64_t*>(page);
    settle();
    ::pthread_atfork([] { instance().gate_.lock(); }, [] { instance().gate_.unlock(); },
                     [] {
                         for (auto* member : members()) member->after_fork_in_child();
                         members().clear();
                         instance().gate_.unlock();
                     });
}

void ForkGuard::settle() {
    *stamp_ = static_cast<std::uint64_t>(::getpid());
}

void ForkGuard::enter(ForkAware* member) {
    const auto held = no_fork();
    members().push_back(member);
}

void ForkGuard::leave(ForkAware* member) {
    const auto held = no_fork();
    auto& list = members();
    list.erase(std::remove(list.begin(), list.end(), member), list.end());
}

}  // namespace snakepit::shm
