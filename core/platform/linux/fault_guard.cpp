// SPDX-License-Identifier: MIT
#include "platform/fault_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>

namespace snakepit::shm {

namespace {

thread_local FaultGuard* innermost = nullptr;
struct sigaction previous_action;

}  // namespace

struct FaultGuardAccess {
    // mmap is a plain system call and safe in a handler; the guard's page is replaced in place, so
    // the faulting instruction simply runs again and reads zeros.
    static bool absorb(void* address) {
        auto* const at = static_cast<std::byte*>(address);
        for (auto* guard = innermost; guard; guard = guard->outer_) {
            if (at < guard->base_ || at >= guard->base_ + guard->size_) continue;
            auto* const page = at - reinterpret_cast<std::uintptr_t>(at) % 4096;
            if (::mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                       -1, 0) == MAP_FAILED)
                return false;
            guard->faulted_ = true;
            return true;
        }
        return false;
    }
};

namespace {

void on_sigbus(int number, siginfo_t* info, void* context) {
    const int saved = errno;
    const bool absorbed = FaultGuardAccess::absorb(info->si_addr);
    errno = saved;
    if (absorbed) return;
    if ((previous_action.sa_flags & SA_SIGINFO) && previous_action.sa_sigaction) {
        previous_action.sa_sigaction(number, info, context);
    } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(number);
    } else {
        // The default action applies: the instruction runs again and ends the process.
        ::sigaction(SIGBUS, &previous_action, nullptr);
    }
}

void install_once() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action {};
        action.sa_sigaction = on_sigbus;
        action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
        ::sigemptyset(&action.sa_mask);
        ::sigaction(SIGBUS, &action, &previous_action);
    });
}

}  // namespace

FaultGuard::FaultGuard(void* base, std::size_t size)
    : outer_(innermost), base_(static_cast<std::byte*>(base)), size_(size) {
    install_once();
    innermost = this;
}

FaultGuard::~FaultGuard() {
    innermost = outer_;
}

bool FaultGuard::faulted_here() {
    for (const auto* guard = innermost; guard; guard = guard->outer_)
        if (guard->faulted_) return true;
    return false;
}

}  // namespace snakepit::shm
