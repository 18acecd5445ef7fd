// SPDX-License-Identifier: MIT
#include "monitoring/usage_survey.h"

#include <algorithm>
#include <utility>

#include "base/interval_elapsed.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kEvery = 10'000'000;  // microseconds
// In a turn, of which there are five a second: some milliseconds. A million regions take 40
// seconds.
constexpr std::size_t kLookedATurn = 5'000;

void add(UsageLine& line, std::uint64_t bytes, std::uint64_t references) {
    ++line.regions;
    line.bytes += bytes;
    line.references += references;
}

}  // namespace

void UsageSurvey::look(std::uint32_t slot) {
    auto& registry = service_.registry();
    const auto word = registry.control(slot);
    if (!word.occupied()) return;
    const auto& fixed = registry.fixed(slot);
    const std::uint64_t references = registry.stats(slot).references;
    add(next_.users[fixed.owner_uid], fixed.size, references);
    for (auto [names, name] :
         {std::pair(&next_.sessions, &fixed.session), std::pair(&next_.workers, &fixed.worker)}) {
        if ((*name)[0] == 0) continue;
        const auto known = names->find(*name);
        if (known != names->end())
            add(known->second, fixed.size, references);
        else if (names->size() < kMostNames)
            add((*names)[*name], fixed.size, references);
    }
    if (references == 0) return;
    for (const auto& holder : service_.counter().holders(slot, word.generation))
        if (holder.references > 0)
            next_.references[service_.client(holder.client)
                                 .serial.load(std::memory_order_relaxed)] += holder.references;
}

bool UsageSurvey::go_on(std::int64_t at) {
    if (!pass_.next) {
        if (!interval_elapsed(at, kEvery, deadlines_)) return false;
        next_ = {};
        pass_.begin();
    }
    if (pass_.go_on(service_.registry(), kLookedATurn, [this](std::uint32_t slot) { look(slot); }))
        return false;
    last_ = std::exchange(next_, {});
    last_.at = std::max<std::int64_t>(at, 1);
    return true;
}

}  // namespace snakepit::shm
