// SPDX-License-Identifier: MIT
#include "monitoring/usage_survey.h"

#include <algorithm>
#include <utility>

#include "base/interval_elapsed.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kEvery = 10'000'000;  // microseconds
// In a slice, of which there are five a second: some milliseconds. A million regions take 40
// seconds.
constexpr std::size_t kCountedPerSlice = 5'000;

void add(UsageLine& line, std::uint64_t bytes, std::uint64_t references) {
    ++line.regions;
    line.bytes += bytes;
    line.references += references;
}

}  // namespace

void UsageSurvey::count(std::uint32_t slot) {
    auto& registry = state_.registry;
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
    for (const auto& holder : state_.counter.holders(slot, word.generation))
        if (holder.references > 0)
            next_.references[state_.grants.record(holder.client)
                                 .serial.load(std::memory_order_relaxed)] += holder.references;
}

bool UsageSurvey::run_slice(std::int64_t at) {
    if (!scan_.next) {
        if (!interval_elapsed(at, kEvery, next_survey_)) return false;
        next_ = {};
        scan_.start();
    }
    if (scan_.run_slice(state_.registry, kCountedPerSlice,
                        [this](std::uint32_t slot) { count(slot); }))
        return false;
    last_ = std::exchange(next_, {});
    last_.at = std::max<std::int64_t>(at, 1);
    return true;
}

}  // namespace snakepit::shm
