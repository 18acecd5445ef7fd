// SPDX-License-Identifier: MIT
#include "manager/monitoring.h"

#include <unistd.h>

#include <fmt/format.h>

#include "manager/version.h"

namespace snakepit::shm {

Monitoring::Monitoring(Service& service, const EventRecorder& recorder, const InstancePaths& paths)
    : service_(service),
      recorder_(recorder),
      performance_(service.registry(), service.backend()),
      telemetry_({paths.registry(), std::string(kVersionText), paths.instance,
                  std::string(service.backend().name())},
                 service.registry().ring().head()) {}

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
    return sample;
}

void Monitoring::second() {
    if (enabled_) performance_.sample(counts(), recorder_.state().lag);
    tell();
}

void Monitoring::tell() {
    ManagerFigures figures;
    for (const auto& [type, count] : service_.errors().by_type())
        figures.errors.emplace_back(to_string(type), count);
    telemetry_.hand_over(std::move(figures));
    for (const auto& news : telemetry_.take_news()) {
        service_.registry().record(
            {.kind = news.works ? EventKind::telemetry_works : EventKind::telemetry_failed,
             .result = news.works ? ErrorCode{} : news.error.code,
             .pid = ::getpid(),
             .uid = ::geteuid(),
             .text = news.text});
        if (service_.alarm)
            service_.alarm(news.works ? news.text
                                      : fmt::format("{}: {}", news.text, news.error.remedy));
    }
}

}  // namespace snakepit::shm
