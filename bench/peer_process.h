// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace snakepit::shm::bench {

// Memory shared with the children made after it.
class SharedMemory {
  public:
    explicit SharedMemory(std::size_t size);
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    std::byte* data() const { return static_cast<std::byte*>(data_); }

  private:
    void* data_;
    std::size_t size_;
};

// A child that runs `work` and exits; killed with this object and with this program.
class Child {
  public:
    template <typename Work>
    explicit Child(Work work) : pid_(start()) {
        if (pid_ != 0) return;
        work();
        leave();
    }
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

  private:
    static pid_t start();
    [[noreturn]] static void leave();
    pid_t pid_;
};

// A child that repeats one of the given works on request.
class PeerProcess {
  public:
    using Work = void (*)(std::byte* memory);
    PeerProcess(Work first, Work second, std::byte* memory);
    PeerProcess(const PeerProcess&) = delete;
    PeerProcess& operator=(const PeerProcess&) = delete;

    // 0: idle; 1, 2: the works. Returns when the child has switched.
    void turn_to(int what);
    // Number of completed works.
    std::uint64_t progress() const { return order_->progress.load(); }

  private:
    struct Order {
        std::atomic<int> wanted{0}, doing{0};
        std::atomic<std::uint64_t> progress{0};
    };
    SharedMemory shared_{4096};
    Order* order_;
    Child child_;
};

}  // namespace snakepit::shm::bench
