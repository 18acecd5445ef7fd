// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/paths.h"
#include "config/config.h"
#include "crypto/keys.h"
#include "memory/allocator.h"
#include "memory/cleaner.h"
#include "memory/signal_store.h"
#include "memory/synchronizer.h"
#include "platform/backend.h"
#include "regions/error_manager.h"
#include "regions/event_lines.h"
#include "regions/service_stats.h"
#include "registry/encryption_table.h"
#include "registry/grant_table.h"
#include "registry/reference_counter.h"
#include "registry/region_registry.h"
#include "security/security_controller.h"
#include "sqlite/state_database.h"

namespace snakepit::shm {

// Runs `work` on a background thread, and `then` on the service thread afterwards.
using RunInBackground = std::function<void(std::function<void()> work, std::function<void()> then)>;

// What the parts of the RegionService work on: the registry and the tables beside it, the system
// behind them, and the books about both. Whoever hosts a RegionService makes this first and keeps
// it longer. Service thread only.
struct ServiceState {
    ServiceState(const InstancePaths& paths, std::unique_ptr<RegionRegistry> registry,
                 GrantTable grants, LockTable locks, PlatformBackend& backend,
                 RunInBackground run_in_background);
    void configure(const Config& config);
    ServiceTotals totals() const { return {registry.totals(), stats.counters, errors.total()}; }

    InstancePaths paths;
    const std::shared_ptr<StateDatabase> database =
        std::make_shared<StateDatabase>(paths.state_db());  // shared with alerts
    std::unique_ptr<RegionRegistry> opened;
    RegionRegistry& registry;
    GrantTable grants;
    PlatformBackend& backend;
    RunInBackground run_in_background;
    ReferenceCounter counter;
    Allocator allocator;
    Cleaner cleaner;
    Synchronizer synchronizer;
    SignalStore signals;
    EventLines events;
    SecurityController security;
    Config config;
    ErrorManager errors;
    ServiceStats stats;

    // ---- set before recovery
    std::optional<EncryptionTable> encryption;  // none: encrypted regions are refused
    std::shared_ptr<const InstanceKey> key;     // set with it
    std::string own_mark;                       // OwnershipMark::name()
    // Why an audited access cannot be recorded now.
    std::function<Status()> can_record = [] { return Status{}; };
    // As in ManagerOptions.
    std::function<void(const std::string&)> alarm = [](const std::string&) {};
    // Gives unused memory of ours back to the system. True: some was given back, so that a failed
    // allocation is worth one more try.
    std::function<bool()> make_room = [this] { return allocator.pool.make_room() > 0; };
};

// The base of the parts: short names for what they all work on.
class RegionPart {
  protected:
    explicit RegionPart(ServiceState& state) : state_(state) {}

    ServiceState& state_;
    RegionRegistry& registry_ = state_.registry;
    GrantTable& grants_ = state_.grants;
    PlatformBackend& backend_ = state_.backend;
    ReferenceCounter& counter_ = state_.counter;
    Allocator& allocator_ = state_.allocator;
    Synchronizer& synchronizer_ = state_.synchronizer;
    const Config& config_ = state_.config;
    ErrorManager& errors_ = state_.errors;
    ServiceStats& stats_ = state_.stats;
};

// The slot of a region that exists; region_not_found.
Result<std::uint32_t> find_region(const RegionRegistry& registry, const RegionId& id);
// Whether the region is live, whole and not on its way out.
Status check_mappable(const RegionRegistry& registry, std::uint32_t slot);
// read_only: it is sealed, or about to be.
Status check_writable(const RegionRegistry& registry, std::uint32_t slot);

// Events and samples have 32 bits for a count.
inline std::uint32_t narrow(std::uint64_t value) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xFFFFFFFFU));
}

}  // namespace snakepit::shm
