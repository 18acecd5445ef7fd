// SPDX-License-Identifier: MIT
#include "top/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace snakepit::shm::cli {

namespace {

constexpr std::int64_t kSilentMicros = 3'000'000;  // three heartbeats

constexpr std::array<std::chrono::milliseconds, 6> kIntervals{
    std::chrono::milliseconds(250),  std::chrono::milliseconds(500),
    std::chrono::milliseconds(1000), std::chrono::milliseconds(2000),
    std::chrono::milliseconds(5000), std::chrono::milliseconds(10'000)};

}  // namespace

void Model::take(Snapshot snapshot) {
    if (snapshot.delta.reset) figures_.forget();
    figures_.take(snapshot.samples);
    regions_.take(std::move(snapshot.delta), snapshot.at);
    snapshot_ = std::move(snapshot);
    if (overlay_.kind != Overlay::Kind::region) return;
    const auto* row = regions_.find(overlay_.region.id);
    overlay_.region_gone = row == nullptr;
    if (row != nullptr) overlay_.region = row->info;
}

void Model::take(PollResults results) {
    results_ = std::move(results);
    const auto& done = results_.acknowledged;
    if (done.at <= acknowledged_at_) return;
    acknowledged_at_ = done.at;
    note_ = done.error ? Note{done.error->sentence(), true}
                       : Note{fmt::format("acknowledged: {}", done.value), false};
}

PollRequest Model::poll_request() const {
    PollRequest out;
    const auto* sample = figures_.last();
    out.alerts = view_ == View::alerts || overlay_.kind == Overlay::Kind::alert ||
                 (sample != nullptr && sample->alerts_firing > 0);
    out.locks = view_ == View::locks;
    if (out.locks) out.filter = regions_.filter();
    if (overlay_.kind == Overlay::Kind::region) out.region = overlay_.region.id;
    return out;
}

std::optional<std::uint64_t> Model::take_acknowledgement() {
    if (acknowledge_ == 0) return std::nullopt;
    return std::exchange(acknowledge_, 0);
}

std::chrono::milliseconds Model::interval() const {
    return kIntervals[interval_];
}

void Model::change_interval(int by) {
    const auto wanted = static_cast<int>(interval_) + by;
    interval_ =
        static_cast<std::size_t>(std::clamp(wanted, 0, static_cast<int>(kIntervals.size()) - 1));
}

bool Model::silent() const {
    return snapshot_.at.micros - snapshot_.heartbeat.micros > kSilentMicros;
}

const Alert* Model::alert(std::uint64_t id) const {
    const auto& alerts = results_.alerts.value;
    const auto it =
        std::find_if(alerts.begin(), alerts.end(), [id](const Alert& one) { return one.id == id; });
    return it == alerts.end() ? nullptr : &*it;
}

}  // namespace snakepit::shm::cli
