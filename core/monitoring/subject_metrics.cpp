// SPDX-License-Identifier: MIT
#include "monitoring/subject_metrics.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/units.h"
#include "security/name_resolver.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kMostOfAKind = 50;
// Longest waits that are checked: several may be for one region.
constexpr std::size_t kWaitsLookedAt = 500;
// Interval at which names and quotas of users are read again: it may need a directory on the
// network.
constexpr std::int64_t kUserKnown = 60'000'000;

double ratio(std::uint64_t part, std::uint64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void SubjectMetrics::configure(const Config& config) {
    has_quotas_ = !config.quotas.empty();
    max_regions_ = config.max_regions_per_user;
    max_memory_ = config.max_memory_per_user;
    users_.clear();
}

void SubjectMetrics::surveyed(const UsageTables& usage, std::int64_t at) {
    std::vector<ClientReferences> clients;
    for (const auto index : state_.counter.clients()) {
        if (state_.grants.record(index).hostile != 0) continue;  // what it holds cannot be read
        const auto serial = state_.grants.record(index).serial.load(std::memory_order_relaxed);
        const auto held = usage.references.find(serial);
        clients.push_back({serial, held == usage.references.end() ? 0 : held->second,
                           state_.counter.acquired(index)});
    }
    growth_.look(at, clients);
}

std::string SubjectMetrics::name_of(std::uint64_t serial) const {
    for (const auto index : state_.counter.clients()) {
        const auto& record = state_.grants.record(index);
        if (record.serial.load(std::memory_order_relaxed) != serial) continue;
        auto name = fmt::format("{} ({})", record.process, record.pid);
        if (record.worker[0] != 0) name += fmt::format(", worker {}", record.worker);
        return name;
    }
    return {};
}

void SubjectMetrics::add_growth(std::vector<SubjectValue>& out) const {
    for (const auto& client : growth_.growing()) {
        auto name = name_of(client.serial);
        if (name.empty()) continue;
        out.push_back({"client_reference_growth", std::move(name),
                       static_cast<double>(client.gained),
                       evidence_of(client) + ", gave none back"});
        if (out.size() >= kMostOfAKind) return;
    }
}

void SubjectMetrics::add_lock_waits(std::vector<SubjectValue>& out) const {
    const auto at = monotonic_nanos();
    std::unordered_set<std::uint32_t> seen;
    for (const auto& wait : state_.synchronizer.longest_waits(kWaitsLookedAt)) {
        if (seen.size() >= kMostOfAKind) return;
        if (!seen.insert(wait.slot).second) continue;
        const auto seconds = static_cast<double>(at - wait.asked) / 1e9;
        out.push_back({"region_lock_wait_seconds", state_.registry.id(wait.slot).str(), seconds,
                       fmt::format("the first of {} who wait has waited for {:.1f} s",
                                   state_.synchronizer.waiters(wait.slot).size(), seconds)});
    }
}

const SubjectMetrics::User& SubjectMetrics::user(std::uint32_t uid) {
    const auto at = boot_micros();
    auto& user = users_[uid];
    if (user.known_at != 0 && at - user.known_at < kUserKnown) return user;
    const auto quota = has_quotas_ ? service_.quota_of_user(uid) : Quota{};
    user = {user_name(uid), quota.max_regions.value_or(max_regions_),
            quota.max_memory.value_or(max_memory_), at};
    return user;
}

void SubjectMetrics::add_users(std::vector<SubjectValue>& out) {
    if (!has_quotas_ && max_regions_ == 0 && max_memory_ == 0) return;
    std::vector<SubjectValue> all;
    for (const auto& [uid, usage] : state_.allocator.usage()) {
        const auto& who = user(uid);
        if (who.max_memory != 0)
            all.push_back({"user_memory_ratio", who.name, ratio(usage.bytes, who.max_memory),
                           fmt::format("takes {} of {}", format_size(usage.bytes),
                                       format_size(who.max_memory))});
        if (who.max_regions != 0)
            all.push_back({"user_regions_ratio", who.name, ratio(usage.regions, who.max_regions),
                           fmt::format("has {} of {} regions", usage.regions, who.max_regions)});
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.value > b.value; });
    if (all.size() > 2 * kMostOfAKind) all.resize(2 * kMostOfAKind);
    std::move(all.begin(), all.end(), std::back_inserter(out));
}

std::vector<SubjectValue> SubjectMetrics::values() {
    std::vector<SubjectValue> out;
    add_growth(out);
    add_lock_waits(out);
    add_users(out);
    return out;
}

}  // namespace snakepit::shm
