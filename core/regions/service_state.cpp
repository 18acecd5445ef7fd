// SPDX-License-Identifier: MIT
#include "regions/service_state.h"

#include <unistd.h>

#include <fmt/format.h>

namespace snakepit::shm {

using namespace layout;

ServiceState::ServiceState(const InstancePaths& paths_in,
                           std::unique_ptr<RegionRegistry> registry_in, GrantTable grants_in,
                           LockTable locks, PlatformBackend& backend_in, RunInBackground run)
    : paths(paths_in),
      opened(std::move(registry_in)),
      registry(*opened),
      grants(std::move(grants_in)),
      backend(backend_in),
      run_in_background(std::move(run)),
      counter(grants, paths.lease_dir(), registry.epoch()),
      allocator(registry, backend, paths.durable_dir()),
      synchronizer(std::move(locks), &counter),
      signals(registry, backend),
      security(::geteuid()) {}

void ServiceState::configure(const Config& fresh) {
    config = fresh;
    allocator.limits = {config.max_regions,          config.max_region_size,
                        config.max_total_memory,     config.max_regions_per_process,
                        config.max_regions_per_user, config.max_memory_per_user};
    allocator.pool.strategy = config.allocation_strategy;
    allocator.pool.huge_pages = config.use_hugepages;
    allocator.pool.first_arena = config.arena_size;
    allocator.backing = config.backing;
    allocator.pool.backing =
        config.backing == BackingChoice::memfd ? Backing::memfd : Backing::posix;
    cleaner.grace_ms = config.grace_period_ms;
    security.configure(config.roles);
}

Result<std::uint32_t> find_region(const RegionRegistry& registry, const RegionId& id) {
    const auto slot = registry.find(id);
    if (slot && registry.control(*slot).occupied()) return *slot;
    return fail(ErrorCode::region_not_found, fmt::format("region {} does not exist", id.str()),
                "it may have been deallocated or cleaned up; 'snakepit-shm list' shows the regions "
                "that exist");
}

Status check_mappable(const RegionRegistry& registry, std::uint32_t slot) {
    const auto word = registry.control(slot);
    const auto name = registry.id(slot).str();
    if (word.withdrawn || word.state == SlotState::revoked)
        return fail(ErrorCode::region_not_found, fmt::format("{} has been deallocated", name),
                    "allocate a new region");
    if (word.damaged)
        return fail(ErrorCode::corruption_detected,
                    fmt::format("{} is damaged and not handed out", name),
                    "deallocate it and allocate a new one");
    if (word.state != SlotState::live)
        return fail(ErrorCode::region_not_found, fmt::format("{} is in quarantine", name),
                    "restore it first");
    return {};
}

Status check_writable(const RegionRegistry& registry, std::uint32_t slot) {
    const auto& body = registry.body(slot);
    if (body.sealed != 0)
        return fail(ErrorCode::read_only, fmt::format("{} is sealed", registry.id(slot).str()),
                    "map it read-only");
    if ((body.flags & kSealPending) != 0)
        return fail(ErrorCode::read_only,
                    fmt::format("{} is being sealed", registry.id(slot).str()), "map it read-only");
    return {};
}

}  // namespace snakepit::shm
