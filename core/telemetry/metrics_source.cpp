// SPDX-License-Identifier: MIT
#include "telemetry/metrics_source.h"

#include "telemetry/telemetry_options.h"

namespace snakepit::shm {

Result<MetricsSource> MetricsSource::open(const std::string& registry, UserName user_name) {
    SHM_ASSIGN(auto reader, RegistryReader::open(registry));
    return MetricsSource(std::move(reader), std::move(user_name));
}

void MetricsSource::follow() {
    auto delta = reader_.poll();
    if (delta.reset) regions_.clear();
    for (const auto slot : delta.vacated) regions_.erase(slot);
    for (auto& row : delta.changed)
        regions_[row.slot] = {row.info.owner_uid, row.info.size, std::move(row.info.session),
                              std::move(row.info.worker)};
}

LabelledUse MetricsSource::use_by(const std::string& label) const {
    std::unordered_map<std::string, LabelledUse::Value> sums;
    std::unordered_map<std::uint32_t, std::string> names;
    const auto name_of = [&](const Held& held) -> const std::string& {
        if (label == "session") return held.session;
        if (label == "worker") return held.worker;
        auto& name = names[held.uid];
        if (name.empty()) name = user_name_(held.uid);
        return name;
    };
    for (const auto& [slot, held] : regions_) {
        const auto& name = name_of(held);
        if (name.empty()) continue;  // it has none
        auto& sum = sums[name];
        ++sum.regions;
        sum.bytes += held.bytes;
    }
    LabelledUse out{label, {}};
    for (auto& [name, sum] : sums) {
        sum.name = name;
        out.values.push_back(std::move(sum));
    }
    return out;
}

void MetricsSource::read(ExpositionInput& out, const std::vector<std::string>& labels) {
    follow();
    out.at = now();
    out.started_at = reader_.started_at();
    out.heartbeat = reader_.heartbeat();
    out.counting_since = reader_.created_at();
    out.sample = reader_.newest_sample();
    for (std::size_t i = 0; i < layout::kTimed; ++i)
        out.timed[i] = reader_.timed(static_cast<layout::Timed>(i));
    out.use.clear();
    for (const auto& label : labels)
        if (label != kHostLabel) out.use.push_back(use_by(label));
}

}  // namespace snakepit::shm
