// SPDX-License-Identifier: MIT
#include "manager/monitoring.h"

namespace snakepit::shm {

Monitoring::Monitoring(Service& service, const EventRecorder& recorder)
    : service_(service),
      recorder_(recorder),
      performance_(service.registry(), service.backend()),
      health_(std::make_unique<HealthLogger>(service, recorder)) {}

layout::Sample Monitoring::counts() const {
    const auto totals = service_.totals();
    layout::Sample sample{};
    sample.regions = totals.regions;
    sample.orphans = totals.orphans;
    sample.quarantined = totals.quarantined;
    sample.bytes_used = service_.allocator().bytes_used();
    sample.bytes_reserved = service_.allocator().bytes_reserved();
    sample.references = totals.references;
    sample.clients = service_.clients().size();
    sample.allocations = totals.allocations;
    sample.deallocations = totals.deallocations;
    sample.errors = totals.errors;
    sample.health_problems = health_->problems();
    return sample;
}

void Monitoring::second() {
    health_->second(now().micros);
    if (enabled_) performance_.sample(counts(), recorder_.state().lag);
}

}  // namespace snakepit::shm
