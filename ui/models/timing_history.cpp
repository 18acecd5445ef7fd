// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/timing_history.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kApart = 2'000;  // between copies: 30 of 33 KiB

}  // namespace

std::shared_ptr<const Timings> timings_of(const RegistryReader& reader) {
    auto timings = std::make_shared<Timings>();
    for (std::size_t i = 0; i < layout::kTimed; ++i)
        (*timings)[i] = reader.timed(static_cast<layout::Timed>(i));
    return timings;
}

void TimingHistory::add(std::shared_ptr<const Timings> timings, std::int64_t at) {
    newest_ = std::move(timings);
    if (copies_.empty() || at - copies_.back().at >= kApart) copies_.push_back({at, newest_});
    while (copies_.size() > 1 && copies_[1].at <= at - kMinute) copies_.pop_front();
}

void TimingHistory::clear() {
    copies_.clear();
    newest_.reset();
}

layout::Histogram TimingHistory::last_minute(layout::Timed what) const {
    if (!newest_) return {};
    const auto i = static_cast<std::size_t>(what);
    return (*newest_)[i].since((*copies_.front().timings)[i]);
}

}  // namespace snakepit::shm::ui
