// SPDX-License-Identifier: MIT
#include "regions/refusal_log.h"

#include <iterator>

namespace snakepit::shm {

namespace {}  // namespace

bool RefusalLog::own_event(std::uint32_t uid, std::int64_t at) {
    auto& second = users_[uid];
    if (second.number != at / kMicrosPerSecond)
        second = {at / kMicrosPerSecond, 0, 0, second.counted_before + second.counted};
    if (second.recorded < kOwnEvents) return ++second.recorded > 0;
    ++second.counted;
    return false;
}

std::vector<RefusalLog::Counted> RefusalLog::over(std::int64_t at) {
    std::vector<Counted> out;
    for (auto entry = users_.begin(); entry != users_.end();) {
        auto& [uid, second] = *entry;
        const bool ended = second.number != at / kMicrosPerSecond;
        const auto count = second.counted_before + (ended ? second.counted : 0);
        if (count > 0) out.push_back({uid, count});
        second.counted_before = 0;
        entry = ended ? users_.erase(entry) : std::next(entry);
    }
    return out;
}

}  // namespace snakepit::shm
