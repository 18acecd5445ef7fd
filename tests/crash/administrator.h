// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "client/manager_client.h"

namespace snakepit::shm::test {

// Does, on a thread of its own and without end, what administrators do: so the manager is killed in
// the middle of it too.
class Administrator {
  public:
    Administrator(unsigned seed, std::unique_ptr<ManagerClient> client);
    ~Administrator();

    // Between these two nothing of it is under way. What follows is asked between them only.
    void pause() { pausing_.lock(); }
    void resume() { pausing_.unlock(); }

    // Regions and locks it has (perhaps) taken from their holders.
    const std::set<std::string>& taken_regions() const { return taken_regions_; }
    const std::set<std::uint64_t>& taken_locks() const { return taken_locks_; }
    // What failed and must not; empty when nothing did.
    const std::string& failure() const { return failure_; }

  private:
    void run();
    void act();
    void cleanup();
    void free_one();
    void restore_one();
    void release_one();
    void accept(const char* what, const Error& error, std::initializer_list<ErrorCode> expected);
    std::size_t pick(std::size_t size) { return random_() % size; }

    std::mt19937 random_;
    std::unique_ptr<ManagerClient> client_;
    std::mutex turn_;
    std::unique_lock<std::mutex> pausing_{turn_, std::defer_lock};
    bool ends_ = false;
    std::set<std::string> taken_regions_;
    std::set<std::uint64_t> taken_locks_;
    std::string failure_;
    std::thread thread_;
};

}  // namespace snakepit::shm::test
