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

// A child that repeats one of the given works, as told, until this object ends it.
class PeerProcess {
  public:
    using Work = void (*)(std::byte* memory);
    PeerProcess(Work first, Work second, std::byte* memory);
    ~PeerProcess();
    PeerProcess(const PeerProcess&) = delete;
    PeerProcess& operator=(const PeerProcess&) = delete;

    // 0: rest; 1, 2: the works. Returns when the child does so.
    void turn_to(int what);
    // Works done so far.
    std::uint64_t progress() const { return order_->progress.load(); }

  private:
    struct Order {
        std::atomic<int> wanted{0}, doing{0};
        std::atomic<std::uint64_t> progress{0};
    };
    SharedMemory shared_{4096};
    Order* order_;
    pid_t child_;
};

}  // namespace snakepit::shm::bench
