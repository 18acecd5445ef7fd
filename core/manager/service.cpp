// SPDX-License-Identifier: MIT
// The operations. When regions end is in service_lifecycle.cpp, adopting them in
// service_recovery.cpp.
#include "manager/service.h"

#include <sys/mman.h>
#include <unistd.h>

#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/filter.h"
#include "platform/fault_guard.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Objects this large are made on another thread: reserving pages costs about 0.2 ms a MiB.
constexpr std::uint64_t kMakeElsewhere = 4 << 20;
// Slots looked at for one page of a list before an answer goes out, found or not.
constexpr std::uint32_t kListScan = 20'000;
// Holders named in one answer; the count is of all.
constexpr std::size_t kNamedHolders = 256;

Status check_metadata(const std::string& text) {
    if (text.empty()) return {};
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(text));
    if (document.isObject()) return {};
    return fail(ErrorCode::invalid_argument, "the metadata is not a JSON object",
                "write it like {\"key\":\"value\"}");
}

}  // namespace

Service::Service(const InstancePaths& paths, std::unique_ptr<RegionRegistry> registry,
                 GrantTable grants, LockTable locks, PlatformBackend& backend, RunLong run_long)
    : paths_(paths),
      registry_(std::move(registry)),
      grants_(std::move(grants)),
      backend_(backend),
      run_long_(std::move(run_long)),
      counter_(grants_, paths.lease_dir(), registry_->epoch()),
      allocator_(*registry_, backend_),
      security_(::geteuid()),
      synchronizer_(std::move(locks)) {}

void Service::configure(const Config& config) {
    config_ = config;
    allocator_.limits = {config.max_regions, config.max_region_size, config.max_total_memory,
                         config.max_regions_per_process};
    cleaner_.grace_ms = config.grace_period_ms;
    next_full_look_ = 0;
}

Error Service::refuse(const Caller& caller, Error error, std::string_view operation,
                      const RegionId& id) {
    ++errors_;
    error.operation = operation;
    if (id.valid()) error.region_id = id.str();
    const bool security = error.type() == ErrorType::permission_denied ||
                          error.type() == ErrorType::security_violation;
    if (security)
        registry_->record({.kind = EventKind::refused,
                           .result = error.code,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .text = operation,
                           .id = id});
    return error;
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
    SHM_TRY(security_.check(caller.credentials, operation, registry_->fixed(slot),
                            registry_->body(slot)));
    return slot;
}

void Service::allocate(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                       RegionOptions options, std::function<void(Result<Grant>)> done) {
    const auto give_up = [&](Error error) {
        registry_->record({.kind = EventKind::allocation_failed,
                           .result = error.code,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .value = size,
                           .text = caller.process});
        done(fail(refuse(caller, std::move(error), "allocate", {})));
    };
    if (!config_.enabled)
        return give_up(make_error(ErrorCode::allocation_failed, "shared memory is disabled",
                                  "set enabled = true in the configuration"));
    if (options.security_level != SecurityLevel::standard)
        return give_up(make_error(
            ErrorCode::not_supported,
            fmt::format("security level '{}' is not available", to_string(options.security_level)),
            "use 'standard'"));
    if (options.placement == Placement::pooled)
        return give_up(make_error(ErrorCode::not_supported, "pooled placement is not available",
                                  "use 'dedicated' or leave it out"));
    if (auto checked = check_metadata(options.metadata); !checked)
        return give_up(std::move(checked).error());

    RegionOwner owner{0, caller.credentials, 0, caller.process, {}, {}};
    if (caller.client) {
        const auto& record = grants_.record(*caller.client);
        owner.serial = record.serial.load(std::memory_order_relaxed);
        owner.start_time = record.start_time;
        owner.worker = record.worker;
        owner.session = record.session;
        // The answer to an earlier try was lost with its manager: same request, same region.
        const auto made = registry_->find_request(owner.serial, request_id);
        const auto word = made ? registry_->control(*made) : Control{};
        if (word.state == SlotState::reserved) {
            asked_again_.insert_or_assign(
                *made, [=, this] { allocate(caller, request_id, size, options, done); });
            return;
        }
        if (word.state == SlotState::live && !word.withdrawn && !word.damaged) {
            auto segment = allocator_.open(*made, AccessMode::read_write);
            return done(
                segment ? grant(caller, *made, AccessMode::read_write, std::move(segment->handle))
                        : Result<Grant>(fail(std::move(segment).error())));
        }
    }
    if (options.timeout_ms == kDefaultTimeout) options.timeout_ms = config_.default_timeout_ms;
    auto slot = allocator_.begin(size, options, owner, request_id);
    if (!slot) return give_up(std::move(slot).error());

    const auto name = allocator_.segment_name_of(*slot);
    if (size < kMakeElsewhere)
        return finish_allocation(caller, *slot, options, allocator_.make(name, size), done);
    auto segment = std::make_shared<Result<Segment>>(Segment{});
    run_long_([this, name, size, segment] { *segment = allocator_.make(name, size); },
              [this, caller, slot = *slot, options, segment, done = std::move(done)] {
                  finish_allocation(caller, slot, options, std::move(*segment), done);
              });
}

void Service::finish_allocation(const Caller& caller, std::uint32_t slot,
                                const RegionOptions& options, Result<Segment> segment,
                                const std::function<void(Result<Grant>)>& done) {
    const auto size = registry_->fixed(slot).size;
    Result<Grant> granted = [&]() -> Result<Grant> {
        if (!segment) return fail(std::move(segment).error());
        const bool there =
            !caller.client ||
            grants_.record(*caller.client).serial.load(std::memory_order_relaxed) == caller.serial;
        if (!there) return fail(ErrorCode::allocation_failed, "the program that asked is gone");
        allocator_.place(slot, *segment, options);
        return grant(caller, slot, AccessMode::read_write, std::move(segment->handle));
    }();
    const auto again = asked_again_.extract(slot);
    if (!granted) {
        registry_->record({.kind = EventKind::allocation_failed,
                           .result = granted.error().code,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .value = size,
                           .text = caller.process});
        counter_.revoke_untold(slot, registry_->control(slot).generation);
        allocator_.abandon(slot);
        done(fail(refuse(caller, std::move(granted).error(), "allocate", {})));
    } else {
        allocator_.commit(slot);
        ++allocations_;
        evaluate(slot, now().micros);
        done(std::move(granted));
    }
    if (again) again.mapped()();
}

Result<std::uint32_t> Service::openable(const Caller& caller, const RegionId& id,
                                        AccessMode access) {
    const bool writes = access == AccessMode::read_write;
    SHM_ASSIGN(const auto slot, usable(caller, id, writes ? Operation::write : Operation::read));
    const auto word = registry_->control(slot);
    const auto& body = registry_->body(slot);
    if (word.withdrawn || word.state == SlotState::revoked)
        return fail(ErrorCode::region_not_found, fmt::format("{} has been deallocated", id.str()),
                    "allocate a new region");
    if (word.damaged)
        return fail(ErrorCode::corruption_detected,
                    fmt::format("{} is damaged and not handed out", id.str()),
                    "deallocate it and allocate a new one");
    if (word.state != SlotState::live)
        return fail(ErrorCode::region_not_found, fmt::format("{} is in quarantine", id.str()),
                    "restore it first");
    const bool owner = caller.client &&
                       grants_.record(*caller.client).serial == registry_->fixed(slot).owner_serial;
    if (writes && static_cast<AccessMode>(body.access_mode) == AccessMode::read_only && !owner)
        return fail(ErrorCode::read_only, fmt::format("{} may be mapped read-only", id.str()),
                    "map it without asking to write");
    return slot;
}

Result<Grant> Service::grant(const Caller& caller, std::uint32_t slot, AccessMode access,
                             Handle handle) {
    const auto word = registry_->control(slot);
    const auto& fixed = registry_->fixed(slot);
    const auto& body = registry_->body(slot);
    Grant grant{slot,
                word.generation,
                registry_->id(slot),
                fixed.size,
                body.offset,
                body.actual_size,
                access,
                static_cast<CleanupPolicy>(body.cleanup_policy) == CleanupPolicy::reference_counted,
                {}};
    if (!caller.client) return grant;
    SHM_TRY(counter_.grant(*caller.client, slot, word.generation, access));
    grant.handle = std::move(handle);
    return grant;
}

Result<Grant> Service::map(const Caller& caller, const RegionId& id, AccessMode access) {
    Result<Grant> granted = [&]() -> Result<Grant> {
        if (!caller.client)
            return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                        "connect with one to map regions");
        SHM_ASSIGN(const auto slot, openable(caller, id, access));
        const auto word = registry_->control(slot);
        SHM_ASSIGN(auto segment, allocator_.open(slot, access));
        const bool first = !counter_.granted(*caller.client, slot, word.generation, access);
        SHM_ASSIGN(auto grant_, grant(caller, slot, access, std::move(segment.handle)));
        if (first)
            registry_->record(slot, {.kind = EventKind::mapped,
                                     .pid = caller.credentials.pid,
                                     .uid = caller.credentials.uid,
                                     .count = access == AccessMode::read_write ? 1U : 0U,
                                     .text = caller.process});
        refresh(slot, 0, now().micros);
        return grant_;
    }();
    if (!granted) return fail(refuse(caller, std::move(granted).error(), "map", id));
    return granted;
}

Result<bool> Service::deallocate(const Caller& caller, const RegionId& id, bool force) {
    Result<bool> gone = [&]() -> Result<bool> {
        SHM_ASSIGN(const auto slot, usable(caller, id, Operation::manage));
        auto word = registry_->control(slot);
        if (word.state == SlotState::retiring || word.state == SlotState::freeing) return false;
        if (!word.withdrawn) {
            refresh(slot, 0, now().micros);  // the caller has just given back what it held
            word.withdrawn = true;
            registry_->commit(slot, word,
                              {.kind = EventKind::withdrawn,
                               .pid = caller.credentials.pid,
                               .uid = caller.credentials.uid,
                               .count = registry_->stats(slot).references,
                               .text = caller.process});
            ++deallocations_;
            dismiss_lock_waiters(slot);
        }
        SHM_ASSIGN(const bool retired, retire(slot, "deallocated", caller.credentials));
        if (retired || !force) return retired;
        SHM_TRY(wipe(slot));
        word = registry_->control(slot);
        word.state = SlotState::revoked;
        registry_->store(slot, word);
        return false;
    }();
    if (!gone) return fail(refuse(caller, std::move(gone).error(), "deallocate", id));
    return gone;
}

// Zeros, not a hole: the pages stay reserved, so that a holder reads zeros and never faults.
Status Service::wipe(std::uint32_t slot) {
    SHM_ASSIGN(const auto segment, allocator_.open(slot, AccessMode::read_write));
    SHM_ASSIGN(const auto mapping,
               Mapping::map(segment.handle, segment.size, Mapping::Access::read_write));
    const FaultGuard guard(mapping.data(), mapping.size());
    std::memset(mapping.data(), 0, mapping.size());
    return {};
}

RegionInfo Service::describe_slot(std::uint32_t slot) {
    const auto word = registry_->control(slot);
    refresh(slot, 0, now().micros);
    auto info = describe(
        word, registry_->fixed(slot), registry_->body(slot), registry_->stats(slot),
        registry_->body(slot).metadata_bytes > 0 && !word.damaged ? registry_->metadata(slot)
                                                                  : nullptr,
        registry_->instance());
    for (const auto& holder : holders_of(slot)) {
        if (info.references.size() == kNamedHolders) break;
        const auto& record = grants_.record(holder.client);
        const auto serial = record.serial.load(std::memory_order_relaxed);
        const auto known = client_of_serial_.find(serial);
        info.references.push_back({record.pid, record.process, holder.references,
                                   known != client_of_serial_.end(), holder.access});
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
        if (!security_.check(caller.credentials, Operation::look, registry_->fixed(slot),
                             registry_->body(slot)))
            continue;
        auto info = describe_slot(slot);
        if (!filter->matches(info, at)) continue;
        used += 512 + info.metadata.size() + info.references.size() * 64;
        out.push_back(std::move(info));
    }
    return out;
}

// One region: what would be done, and unless it is a dry run, what was.
CleanupItem Service::clean(const Caller& caller, std::uint32_t slot, const CleanupRequest& request,
                           std::int64_t at) {
    CleanupItem item{registry_->id(slot), registry_->body(slot).actual_size, {}, false};
    if (held(slot)) {
        refresh(slot, 0, at);
        item.reason = fmt::format("in use: {} references", registry_->stats(slot).references);
        return item;
    }
    const auto verdict = cleaner_.judge(idle_facts(slot), request, at);
    item.reason = verdict.reason;
    item.removed = verdict.due;
    if (!verdict.due || request.dry_run) return item;
    const auto retired =
        retire(slot, fmt::format("cleanup: {}", verdict.reason), caller.credentials);
    item.removed = retired && *retired;
    if (!retired)
        item.reason = retired.error().sentence();
    else if (!*retired)
        item.reason = "in use: taken meanwhile";
    return item;
}

Result<CleanupResult> Service::cleanup(const Caller& caller, const CleanupRequest& request,
                                       std::uint32_t& slot, std::size_t most) {
    CleanupResult result;
    result.dry_run = request.dry_run;
    const auto at = now().micros;
    const auto consider = [&](std::uint32_t candidate) {
        if (!registry_->control(candidate).occupied()) return;
        if (!security_.check(caller.credentials, Operation::manage, registry_->fixed(candidate),
                             registry_->body(candidate)))
            return;
        auto item = clean(caller, candidate, request, at);
        if (item.removed) {
            ++result.removed;
            result.bytes_freed += item.bytes;
        }
        result.items.push_back(std::move(item));
    };
    if (request.only.empty()) {
        for (; slot < registry_->frontier() && result.items.size() < most; ++slot) consider(slot);
    } else {
        for (const auto& id : request.only)
            if (const auto named = registry_->find(id)) consider(*named);
        slot = registry_->frontier();
    }
    if (!request.dry_run)
        registry_->record({.kind = EventKind::cleanup,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .count = static_cast<std::uint32_t>(result.removed),
                           .value = result.bytes_freed,
                           .text = caller.process});
    return result;
}

}  // namespace snakepit::shm
