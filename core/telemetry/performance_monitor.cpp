// SPDX-License-Identifier: MIT
#include "telemetry/performance_monitor.h"

namespace snakepit::shm {

void PerformanceMonitor::sample(layout::Sample counts, std::uint64_t recorder_lag) {
    counts.time = now().micros;
    counts.events = registry_.ring().head();
    counts.recorder_lag = recorder_lag;
    if (const auto space = backend_.space()) {
        counts.shm_total = space->total;
        counts.shm_free = space->free;
    }
    registry_.write_sample(counts);
}

}  // namespace snakepit::shm
