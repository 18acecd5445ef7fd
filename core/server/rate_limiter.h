// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace snakepit::shm {

// So that no user takes the manager away from the others: how many connections one may have open,
// and how much of the manager's time they get while others are connected too. One user's programs
// share with each other as they come. Service thread only.
class RateLimiter {
  public:
    // `most`: connections there may be in all. The user the manager runs as and root are not
    // limited in number, and some connections are kept free for them.
    RateLimiter(std::uint32_t service_uid, std::size_t most)
        : service_uid_(service_uid), most_(most) {}

    // Counts a connection in. False: it may not stay; leave() it all the same.
    bool enter(std::uint32_t uid);
    void leave(std::uint32_t uid);

    // 0: the user may be served. Else nanoseconds until it may be again.
    std::int64_t pause(std::uint32_t uid, std::int64_t at) const;
    void served(std::uint32_t uid, std::int64_t began, std::int64_t ended);

    static constexpr std::int64_t kWindow = 20'000'000;  // nanoseconds
    static constexpr std::int64_t kShare = kWindow / 2;  // of one user in a window
    static constexpr std::size_t kUsersShare = 4;        // a user gets one such part of all
    static constexpr std::size_t kKeptFree = 64;         // for administrators

  private:
    struct User {
        std::size_t connections = 0;
        std::int64_t window = 0;  // which one `used` is about
        std::int64_t used = 0;    // nanoseconds
    };
    std::uint32_t service_uid_;
    std::size_t most_;
    std::size_t connections_ = 0;
    std::size_t connected_users_ = 0;
    // Also those who left: who comes back at once has still used what it used.
    std::unordered_map<std::uint32_t, User> users_;
};

}  // namespace snakepit::shm
