// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace snakepit::shm {

// Keeps refused requests from filling the disk or pushing other events out of the ring: a user's
// first refusals in a second are events of their own, and one event counts the rest. Service thread
// only.
class RefusalLog {
  public:
    static constexpr std::uint32_t kOwnEvents = 50;  // of a user, in a second

    // True: record it. False: it was counted. `at`: microseconds.
    bool own_event(std::uint32_t uid, std::int64_t at);
    struct Counted {
        std::uint32_t uid;
        std::uint32_t count;
    };
    // Those of seconds that are over, once.
    std::vector<Counted> over(std::int64_t at);

  private:
    struct Second {
        std::int64_t number = 0;
        std::uint32_t recorded = 0;
        std::uint32_t counted = 0;
        std::uint32_t counted_before = 0;  // in seconds that are over
    };
    std::unordered_map<std::uint32_t, Second> users_;
};

}  // namespace snakepit::shm
