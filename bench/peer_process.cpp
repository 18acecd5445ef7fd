// SPDX-License-Identifier: MIT
#include "peer_process.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

namespace snakepit::shm::bench {

SharedMemory::SharedMemory(std::size_t size)
    : data_(::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
      size_(size) {
    if (data_ == MAP_FAILED) std::abort();
}

SharedMemory::~SharedMemory() {
    ::munmap(data_, size_);
}

pid_t Child::start() {
    const auto parent = ::getpid();
    const auto pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) leave();
    return 0;
}

void Child::leave() {
    ::_exit(0);
}

Child::~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

PeerProcess::PeerProcess(Work first, Work second, std::byte* memory)
    : order_(new (shared_.data()) Order), child_([=, this] {
          while (true) {
              const int wanted = order_->wanted.load();
              order_->doing.store(wanted);
              if (wanted == 0) ::usleep(200);
              for (int i = 0; wanted != 0 && i < 1000; ++i) (wanted == 1 ? first : second)(memory);
              if (wanted != 0) order_->progress.fetch_add(1000);
          }
      }) {}

void PeerProcess::turn_to(int what) {
    order_->wanted.store(what);
    while (order_->doing.load() != what) ::sched_yield();
}

}  // namespace snakepit::shm::bench
