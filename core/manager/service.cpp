// SPDX-License-Identifier: MIT
// The operations. When regions end is in service_lifecycle.cpp and service_cleanup.cpp, adopting
// them in service_recovery.cpp, checking them in service_health.cpp.
#include "manager/service.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/filter.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Slots looked at for one page of a list before an answer goes out, found or not.
constexpr std::uint32_t kListScan = 20'000;
// Holders named in one answer; the count is of all.
constexpr std::size_t kNamedHolders = 256;

}  // namespace

Service::Service(const InstancePaths& paths, std::unique_ptr<RegionRegistry> registry,
                 GrantTable grants, LockTable locks, PlatformBackend& backend, RunLong run_long)
    : paths_(paths),
      registry_(std::move(registry)),
      grants_(std::move(grants)),
      backend_(backend),
      run_long_(std::move(run_long)),
      counter_(grants_, paths.lease_dir(), registry_->epoch()),
      allocator_(*registry_, backend_, paths.durable_dir()),
      security_(::geteuid()),
      synchronizer_(std::move(locks)),
      access_audit_(*registry_, grants_, counter_) {}

void Service::configure(const Config& config) {
    config_ = config;
    allocator_.limits = {config.max_regions, config.max_region_size, config.max_total_memory,
                         config.max_regions_per_process};
    allocator_.pool.strategy = config.allocation_strategy;
    allocator_.pool.huge_pages = config.use_hugepages;
    allocator_.pool.first_arena = config.arena_size;
    allocator_.backing = config.backing;
    allocator_.pool.backing =
        config.backing == BackingChoice::memfd ? Backing::memfd : Backing::posix;
    allocator_.limits.max_regions_per_user = config.max_regions_per_user;
    allocator_.limits.max_memory_per_user = config.max_memory_per_user;
    cleaner_.grace_ms = config.grace_period_ms;
    security_.configure(config.roles);
    next_full_look_ = 0;
    next_health_look_ =
        std::min(next_health_look_, registry_->time() + config.health_check_interval_ms * 1000);
}

Error Service::refuse(const Caller& caller, Error error, std::string_view operation,
                      const RegionId& id) {
    if (cleanup_helps(error.code)) {
        sweep(registry_->time());  // what it says is true now, and not when pages were last read
        const auto& totals = registry_->totals();
        advise_cleanup(error,
                       {totals.cleanable_regions, totals.cleanable_bytes, totals.regions == 0});
    }
    error = errors_.handle(std::move(error), {operation, id, caller.credentials, caller.process});
    const bool security = error.type() == ErrorType::permission_denied ||
                          error.type() == ErrorType::security_violation;
    const auto text = error.reason.empty() ? std::string(operation)
                                           : fmt::format("{}: {}", operation, error.reason);
    figures_.counters.refusals += security ? 1 : 0;
    if (security)
        record_refusal({.kind = EventKind::refused,
                        .result = error.code,
                        .pid = caller.credentials.pid,
                        .uid = caller.credentials.uid,
                        .text = text,
                        .id = id});
    return error;
}

void Service::record_refusal(const Event& event) {
    if (!refusals_.own_event(event.uid, registry_->time())) return;
    registry_->record(event);
    if (event.kind == EventKind::refused && alarm)
        alarm(fmt::format("user {} (process {}) was refused: {}{}{} ({})", event.uid, event.pid,
                          event.text, event.id.micros != 0 ? ", " : "",
                          event.id.micros != 0 ? event.id.str() : "", to_string(event.result)));
}

Result<std::uint32_t> Service::find(const RegionId& id) const {
    const auto slot = registry_->find(id);
    if (slot && registry_->control(*slot).occupied()) return *slot;
    return fail(
        ErrorCode::region_not_found, fmt::format("there is no region {}", id.str()),
        "'snakepit-shm list' shows those there are; it may have been deallocated or cleaned up");
}

// Found, and the caller may do this with it.
Result<std::uint32_t> Service::usable(const Caller& caller, const RegionId& id,
                                      Operation operation) {
    SHM_ASSIGN(const auto slot, find(id));
    SHM_TRY(policies_.check(caller, operation, slot));
    return slot;
}

// Live, whole and not on its way out.
Status Service::mappable(std::uint32_t slot) const {
    const auto word = registry_->control(slot);
    const auto name = registry_->id(slot).str();
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

Result<std::uint32_t> Service::openable(const Caller& caller, const RegionId& id,
                                        AccessMode access) {
    const bool writes = access == AccessMode::read_write;
    // Of a damaged one its policy may be what is damaged: it is told to those who may know of it.
    if (const auto damaged = find(id); damaged && registry_->control(*damaged).damaged &&
                                       policies_.may(caller, Operation::look, *damaged))
        return fail(mappable(*damaged).error());
    SHM_ASSIGN(const auto slot, usable(caller, id, writes ? Operation::write : Operation::read));
    SHM_TRY(mappable(slot));
    if (!writes) return slot;
    SHM_TRY(writable(slot));
    const bool owner = caller.client &&
                       grants_.record(*caller.client).serial == registry_->fixed(slot).owner_serial;
    if (static_cast<AccessMode>(registry_->body(slot).access_mode) == AccessMode::read_only &&
        !owner)
        return fail(ErrorCode::read_only, fmt::format("{} may be mapped read-only", id.str()),
                    "map it without asking to write");
    return slot;
}

Result<Grant> Service::map(const Caller& caller, const RegionId& id, AccessMode access,
                           bool handle) {
    const Stopwatch watch;
    Result<Grant> granted = [&]() -> Result<Grant> {
        if (!caller.client)
            return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                        "connect with one to map regions");
        if (const auto there = registry_->find(id); there && registry_->body(*there).arena != 0) {
            allocator_.pool.check(registry_->body(*there).arena);
            settle_damaged_arenas();
        }
        SHM_ASSIGN(const auto slot, openable(caller, id, access));
        SHM_TRY(access_audit_.may_begin(slot));
        const auto word = registry_->control(slot);
        const bool first = !counter_.granted(*caller.client, slot, word.generation, access);
        SHM_ASSIGN(auto made, grant(caller, slot, access, handle));
        if (first && !made.audited)
            registry_->record(slot, {.kind = EventKind::mapped,
                                     .pid = caller.credentials.pid,
                                     .uid = caller.credentials.uid,
                                     .count = access == AccessMode::read_write ? 1U : 0U,
                                     .text = caller.process});
        refresh(slot);
        return made;
    }();
    if (!granted) return fail(refuse(caller, std::move(granted).error(), "map", id));
    watch.stop(registry_->timed(Timed::first_map));
    return granted;
}

Result<bool> Service::deallocate(const Caller& caller, const RegionId& id, bool force) {
    Result<bool> gone = [&]() -> Result<bool> {
        SHM_ASSIGN(const auto slot, usable(caller, id, Operation::manage));
        auto word = registry_->control(slot);
        if (word.state == SlotState::retiring || word.state == SlotState::freeing) return false;
        if (!word.withdrawn) {
            refresh(slot);  // the caller has just given back what it held
            // Or a reboot would bring it back.
            if ((registry_->body(slot).flags & kDurable) != 0)
                SHM_TRY(allocator_.durable.forget(id));
            word.withdrawn = true;
            registry_->commit(slot, word,
                              {.kind = EventKind::withdrawn,
                               .pid = caller.credentials.pid,
                               .uid = caller.credentials.uid,
                               .count = registry_->stats(slot).references,
                               .text = caller.process});
            ++figures_.counters.deallocations;
            dismiss_lock_waiters(slot);
        }
        SHM_ASSIGN(const bool retired, retire(slot, "deallocated", caller.credentials));
        if (retired || !force) return retired;
        SHM_TRY(allocator_.wipe(slot));
        word = registry_->control(slot);
        word.state = SlotState::revoked;
        registry_->store(slot, word);
        return false;
    }();
    if (!gone) return fail(refuse(caller, std::move(gone).error(), "deallocate", id));
    return gone;
}

RegionInfo Service::describe_slot(std::uint32_t slot) {
    const auto word = registry_->control(slot);
    refresh(slot);
    auto info = describe(
        word, registry_->fixed(slot), registry_->body(slot), registry_->stats(slot),
        registry_->body(slot).metadata_bytes > 0 && !word.damaged ? registry_->metadata(slot)
                                                                  : nullptr,
        registry_->instance(), registry_->wall_shift());
    for (const auto& holder : holders_of(slot)) {
        if (info.references.size() == kNamedHolders) break;
        const auto& record = grants_.record(holder.client);
        info.references.push_back({record.pid, record.process, holder.references,
                                   registry_->client_connected(holder.client), holder.access,
                                   record.worker});
    }
    return info;
}

Result<RegionInfo> Service::info(const Caller& caller, const RegionId& id) {
    const auto slot = usable(caller, id, Operation::look);
    if (!slot) return fail(refuse(caller, slot.error(), "info", id));
    return describe_slot(*slot);
}

Result<std::vector<RegionInfo>> Service::list(const Caller& caller, std::string_view text,
                                              std::uint32_t& slot, std::size_t bytes) {
    auto filter = RegionFilter::parse(text);
    if (!filter) return fail(refuse(caller, std::move(filter).error(), "list", {}));
    std::vector<RegionInfo> out;
    std::size_t used = 0;
    const auto at = now();
    const auto end =
        std::min<std::uint64_t>(registry_->frontier(), std::uint64_t{slot} + kListScan);
    for (; slot < end && used < bytes; ++slot) {
        if (!registry_->control(slot).occupied()) continue;
        if (!policies_.may(caller, Operation::look, slot)) continue;
        auto info = describe_slot(slot);
        if (!filter->matches(info, at)) continue;
        used += 512 + info.metadata.size() + info.references.size() * 64;
        out.push_back(std::move(info));
    }
    return out;
}

}  // namespace snakepit::shm
