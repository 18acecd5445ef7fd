// SPDX-License-Identifier: MIT
#include "observer.h"

#include <chrono>

#include <fmt/format.h>

namespace snakepit::shm::test {

namespace {

constexpr auto kBetween = std::chrono::milliseconds(100);

}  // namespace

Observer::Observer(RegistryReader reader)
    : reader_(std::move(reader)), thread_([this] { run(); }) {}

Observer::~Observer() {
    ends_ = true;
    thread_.join();
}

void Observer::run() {
    while (!ends_) {
        poll();
        std::this_thread::sleep_for(kBetween);
    }
}

std::string Observer::check(const RegionRow& row) {
    const auto& info = row.info;
    const auto where =
        fmt::format("slot {} generation {} ({}): ", row.slot, row.generation, info.id.str());
    if (!info.id.valid() || info.size == 0 || info.actual_size < info.size)
        return where + fmt::format("{} of {} bytes", info.size, info.actual_size);
    const bool pooled = info.placement == Placement::pooled;
    if (pooled == info.arena.empty() || info.platform_handle.empty())
        return where + "is in no place";
    if (pooled && (info.sealed || info.durable)) return where + "cannot be in an arena";
    auto& newest = newest_[row.slot];
    if (row.generation < newest) return where + fmt::format("came after {}", newest);
    newest = row.generation;
    const auto [known, fresh] = known_.try_emplace(
        {row.slot, row.generation}, Known{info.id, info.size, info.created_at.micros});
    if (!fresh && (known->second.id != info.id || known->second.size != info.size ||
                   known->second.created_at != info.created_at.micros))
        return where + fmt::format("was {}", known->second.id.str());
    return {};
}

void Observer::poll() {
    const std::lock_guard held(mutex_);
    const auto delta = reader_.poll();
    if (delta.reset && begun_ && failure_.empty()) failure_ = "the registry was replaced";
    begun_ = true;
    for (const auto slot : delta.vacated) rows_.erase(slot);
    for (const auto& row : delta.changed) {
        rows_[row.slot] = row.info;
        if (failure_.empty()) failure_ = check(row);
    }
}

std::map<std::uint32_t, RegionInfo> Observer::look() {
    poll();
    const std::lock_guard held(mutex_);
    return rows_;
}

std::string Observer::failure() {
    const std::lock_guard held(mutex_);
    return failure_;
}

}  // namespace snakepit::shm::test
