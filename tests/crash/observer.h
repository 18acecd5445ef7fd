// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "layout/registry_reader.h"

namespace snakepit::shm::test {

// Reads the registry ten times a second on a thread of its own, whatever happens to the manager,
// and checks each row by itself and against what was seen of its region before.
class Observer {
  public:
    explicit Observer(RegistryReader reader);
    ~Observer();

    // Looks once more, now; what it has seen then by slot. While nothing changes.
    std::map<std::uint32_t, RegionInfo> look();
    // The first row that could not be; empty when there was none.
    std::string failure();

  private:
    void run();
    void poll();
    std::string check(const RegionRow& row);

    struct Known {
        RegionId id;
        std::uint64_t size = 0;
        std::int64_t created_at = 0;
    };
    RegistryReader reader_;
    std::mutex mutex_;
    std::map<std::pair<std::uint32_t, std::uint64_t>, Known> known_;  // by slot and generation
    std::map<std::uint32_t, std::uint64_t> newest_;                   // generation, by slot
    std::map<std::uint32_t, RegionInfo> rows_;
    bool begun_ = false;
    std::string failure_;
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

}  // namespace snakepit::shm::test
