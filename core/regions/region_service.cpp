// SPDX-License-Identifier: MIT
#include "regions/region_service.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/interval_elapsed.h"
#include "layout/ownership.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kCheckedPerSlice = 2'000;  // regions; see TimeBudget for the time

}  // namespace

RegionService::RegionService(ServiceState& state) : state_(state) {
    // A region that is to be sealed and has a pending policy is sealed first: both move it, and
    // what is sealed then moves no more. Out of a damaged arena it moves in any case.
    lifecycle_.set_idle_handlers({&sealing_, &policies_, &mover_, &maintenance_});
}

void RegionService::configure(const Config& config) {
    state_.configure(config);
    state_.errors.configured();
    // Roles and audits may have changed. Before recovery there are no pages to absorb from.
    if (recovered_) state_.synchronizer.absorb_all();
    if (recovered_) (void)stash_.recall();  // limits and what new regions are like, too
    next_scan_ = 0;
    next_health_check_ = std::min(next_health_check_,
                                  state_.registry.time() + config.health_check_interval_ms * 1000);
}

Status RegionService::recover() {
    SHM_TRY(recovery_.run());
    recovered_ = true;
    const auto at = state_.registry.time();
    next_health_check_ = at + state_.config.health_check_interval_ms * 1000;
    next_scan_ = at + state_.config.cleanup_interval_ms * 1000;
    return {};
}

Result<std::uint32_t> RegionService::resume_client(const SessionToken& token,
                                                   const ClientIdentity& identity) {
    SHM_ASSIGN(const auto client, clients_.resume(token, identity));
    directory_.forget(clients_.serial(client));
    return client;
}

void RegionService::connection_lost(std::uint32_t client) {
    allocation_.cancel_all_of(clients_.serial(client));
}

std::optional<RegionId> RegionService::moving(const Caller& caller, const std::string& name) const {
    const auto slot = state_.registry.find_name(caller.credentials.uid, name);
    const auto id = slot ? std::optional(state_.registry.id(*slot)) : std::nullopt;
    return id && mover_.moving(*id) ? id : std::nullopt;
}

bool RegionService::tick(std::int64_t at) {
    const auto& config = state_.config;
    locks_.expire_waits();
    signals_.look();
    allocation_.expire();
    state_.allocator.retry_removals();
    lifecycle_.sweep(at);
    if (interval_elapsed(at, 1'000'000, next_stash_look_)) stash_.expire(at);
    for (const auto client : state_.counter.newly_hostile()) {
        const auto& record = clients_.record(client);
        state_.registry.record(event_by(
            record, {.kind = EventKind::client_hostile, .text = "its lease page cannot be read"}));
    }
    refusals_.record_counted(at);
    lifecycle_.record_pending();
    if (interval_elapsed(at, config.cleanup_interval_ms * 1000, next_scan_)) scan_.start();
    if (interval_elapsed(at, config.health_check_interval_ms * 1000, next_health_check_))
        integrity_.start_scan();
    integrity_.check_damaged_arenas();
    maintenance_.run_slice(at);
    return run_slice(at);
}

bool RegionService::run_slice(std::int64_t at) {
    const bool loans = locks_.end_loans();
    const bool deadlines = lifecycle_.run_deadlines(at);
    const bool scan = scan_.run_slice(state_.registry, kCheckedPerSlice,
                                      [&](std::uint32_t slot) { lifecycle_.check_slot(slot, at); });
    const bool health = integrity_.run_slice(at);
    return loans || deadlines || scan || health;
}

void RegionService::evaluate_all() {
    const auto at = state_.registry.time();
    for (const auto slot : state_.registry.used()) lifecycle_.check_slot(slot, at);
}

const HealthState& RegionService::check_now() {
    integrity_.start_scan();
    (void)integrity_.run_slice(state_.registry.time());
    return integrity_.health();
}

bool RegionService::owns_nothing() const {
    const auto prefix = fmt::format("/snakepit_{}_", state_.registry.instance());
    const auto segments = state_.backend.list_segments(prefix);
    if (!segments || !state_.registry.used().empty()) return false;
    const auto ours = tag_of(tagged(state_.registry.epoch(), 0));
    return std::none_of(segments->begin(), segments->end(), [&](const SegmentInfo& segment) {
        const auto number = number_of(std::string_view(segment.name).substr(prefix.size()));
        return number && tag_of(*number) == ours;
    });
}

}  // namespace snakepit::shm
