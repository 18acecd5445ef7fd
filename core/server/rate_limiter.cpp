// SPDX-License-Identifier: MIT
#include "server/rate_limiter.h"

namespace snakepit::shm {

bool RateLimiter::enter(std::uint32_t uid) {
    auto& user = users_[uid];
    if (++user.connections == 1) ++connected_users_;
    ++connections_;
    if (uid == service_uid_ || uid == 0) return connections_ <= most_;
    return user.connections <= most_ / kUsersShare && connections_ <= most_ - kKeptFree;
}

void RateLimiter::leave(std::uint32_t uid) {
    --connections_;
    if (--users_[uid].connections == 0) --connected_users_;
}

std::int64_t RateLimiter::pause(std::uint32_t uid, std::int64_t at) const {
    if (connected_users_ < 2) return 0;
    const auto found = users_.find(uid);
    if (found == users_.end() || found->second.window != at / kWindow ||
        found->second.used < kShare)
        return 0;
    return kWindow - at % kWindow;
}

void RateLimiter::served(std::uint32_t uid, std::int64_t began, std::int64_t ended) {
    auto& user = users_[uid];
    if (user.window != ended / kWindow) {
        user.window = ended / kWindow;
        user.used = 0;
    }
    user.used += ended - began;
}

}  // namespace snakepit::shm
