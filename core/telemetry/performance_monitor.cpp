// SPDX-License-Identifier: MIT
#include "telemetry/performance_monitor.h"

namespace snakepit::shm {

using namespace layout;

namespace {

TimedSample percentiles(const Histogram& times) {
    return {times.count, times.percentile(0.5), times.percentile(0.9), times.percentile(0.99),
            times.percentile(0.999)};
}

}  // namespace

void PerformanceMonitor::take_snapshot() {
    Snapshot now;
    for (std::size_t i = 0; i < kTimed; ++i)
        now[i] = Histogram::of(registry_.timed(static_cast<Timed>(i)));
    // Operations under an earlier manager are not part of these ten seconds.
    if (taken_ == 0) snapshots_.fill(now);
    snapshots_[taken_++ % snapshots_.size()] = now;
}

Histogram PerformanceMonitor::recent(Timed what) const {
    if (taken_ == 0) return {};
    const auto index = static_cast<std::size_t>(what);
    const auto& newest = snapshots_[(taken_ - 1) % snapshots_.size()][index];
    return newest.since(snapshots_[taken_ % snapshots_.size()][index]);
}

const Sample& PerformanceMonitor::sample(Sample counts) {
    counts.time = now().micros;
    counts.events = registry_.ring().head();
    if (const auto space = backend_.space()) {
        counts.shm_total = space->total;
        counts.shm_free = space->free;
    }
    take_snapshot();
    for (std::size_t i = 0; i < kTimed; ++i)
        counts.timed[i] = percentiles(recent(static_cast<Timed>(i)));
    registry_.write_sample(counts);
    return last_ = counts;
}

}  // namespace snakepit::shm
