// SPDX-License-Identifier: MIT
#include "regions/region_allocation.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/time.h"
#include "base/units.h"
#include "regions/allocation_options.h"
#include "regions/option_difference.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// A client reserves about 4 GiB a second; one that takes longer than this does not go on.
constexpr std::int64_t kReserveMicros = 60'000'000;
// A client asks again within its deadline, which is seconds.
constexpr std::int64_t kRememberMicros = 120'000'000;

Error name_in_use_error(const RegionRegistry& registry, std::uint32_t slot,
                        const std::string& name) {
    const auto id = registry.id(slot).str();
    const bool quarantined = registry.control(slot).state == SlotState::quarantined;
    auto error = make_error(
        ErrorCode::name_in_use,
        fmt::format("region {}{} has the name '{}'", id, quarantined ? " in quarantine" : "", name),
        quarantined ? fmt::format("choose another name, or free it now with 'snakepit-shm "
                                  "deallocate {}'",
                                  id)
                    : "map it by its name, deallocate it, or choose another name");
    error.region_id = id;
    return error;
}

Result<Grant> own(Result<Grant> granted) {
    if (granted) granted->created = true;
    return granted;
}

Error not_repeated_error(std::uint64_t size) {
    return make_error(
        ErrorCode::allocation_failed,
        fmt::format("the last manager ended while it took {} for this request, and it "
                    "is not tried again automatically",
                    format_size(size)),
        "check with 'snakepit-shm status' how much memory is left; ask again if the "
        "manager ended for another reason");
}

}  // namespace

std::optional<std::uint32_t> RegionAllocation::find_request(const Caller& caller,
                                                            std::uint64_t request_id) const {
    if (!caller.client) return std::nullopt;
    return allocator_.find_request(clients_.serial(*caller.client), request_id);
}

std::optional<std::uint32_t> RegionAllocation::name_holder(const Caller& caller,
                                                           const std::string& name) const {
    if (name.empty()) return std::nullopt;
    return registry_.find_name(caller.credentials.uid, name);
}

void RegionAllocation::forget_waiters(std::uint64_t serial,
                                      std::optional<std::uint64_t> request_id) {
    std::erase_if(name_waiters_, [&](const auto& entry) {
        const auto& waiter = entry.second;
        return waiter.serial == serial && (!request_id || waiter.request_id == *request_id);
    });
}

// Answers with the outcome of an earlier try of the same request. False: there was none.
bool RegionAllocation::answer_again(const Caller& caller, std::uint64_t request_id,
                                    std::uint64_t size, std::function<void()> ask_again,
                                    const Done& done) {
    const auto made = find_request(caller, request_id);
    const auto word = made ? registry_.control(*made) : Control{};
    if (word.state == SlotState::reserved && word.withdrawn) {
        registry_.release(*made, nullptr);
        not_repeated_.erase(*made);
        done(fail(refuse(caller, size, not_repeated_error(size))));
        return true;
    }
    if (word.state == SlotState::reserved) {
        const auto found = pending_.find(*made);
        // Begun over a connection that ended, and with it what was reserved for it.
        if (found != pending_.end() && found->second->lapses != 0) {
            give_up(found->second,
                    make_error(ErrorCode::region_not_found, "it was requested again"));
            return false;
        }
        if (found != pending_.end()) found->second->cancelled = false;
        asked_again_.insert_or_assign(*made, std::move(ask_again));
        return true;
    }
    if (word.state != SlotState::live || word.withdrawn || word.damaged) return false;
    // The answer to an earlier try was lost with its manager: same request, same region.
    done(own(directory_.issue(caller, *made, AccessMode::read_write, true)));
    return true;
}

Result<Grant> RegionAllocation::open_existing(const Caller& caller, std::uint32_t slot,
                                              std::uint64_t size, const RegionOptions& options,
                                              AccessMode access) {
    if (registry_.control(slot).state == SlotState::quarantined)
        return fail(refuse(caller, size, name_in_use_error(registry_, slot, options.name)));
    if (const auto differs = difference(registry_, slot, size, options); !differs.empty()) {
        auto error = make_error(
            ErrorCode::name_in_use,
            fmt::format("the region with the name '{}' is another one: {}", options.name, differs),
            "open it with its own size and options, map it by its name, or choose another name");
        error.region_id = registry_.id(slot).str();
        return fail(refuse(caller, size, std::move(error)));
    }
    return directory_.map(caller, registry_.id(slot), access, true);
}

void RegionAllocation::allocate(const Caller& caller, std::uint64_t request_id, std::uint64_t size,
                                RegionOptions options, Done done, const AllocationWishes& wishes) {
    const auto& open = wishes.open;
    const Stopwatch watch;
    const auto give_up = [&](Error error) { done(fail(refuse(caller, size, std::move(error)))); };
    // With the options as they are before what the configuration says is filled in.
    const auto again = [=, this] { allocate(caller, request_id, size, options, done, wishes); };
    if (caller.client && answer_again(caller, request_id, size, again, done)) return;
    if (const auto holder = name_holder(caller, options.name)) {
        if (!pending_.contains(*holder))
            return done(open ? open_existing(caller, *holder, size, options, *open)
                             : fail(refuse(caller, size,
                                           name_in_use_error(registry_, *holder, options.name))));
        if (caller.client) forget_waiters(caller.serial, request_id);
        name_waiters_.emplace(*holder, NameWaiter{caller.serial, request_id, again});
        return;
    }
    if (auto checked = complete_options(config_, encryption_.ready(), options); !checked)
        return give_up(std::move(checked).error());
    auto policy = policies_.for_new(options);
    if (!policy) return give_up(std::move(policy).error());
    if (options.audit_access)
        if (auto recorded = state_.can_record(); !recorded)
            return give_up(std::move(recorded).error());

    auto owner = owner_of(caller);
    owner.reserves = caller.client && wishes.can_reserve;
    auto begun = allocator_.begin(size, options, owner, request_id);
    // Nobody is refused for what others only have in their stashes.
    if (!begun && stash_.recall()) begun = allocator_.begin(size, options, owner, request_id);
    if (!begun && retry_is_safe(begun.error().code) && state_.make_room())
        begun = allocator_.begin(size, options, owner, request_id);
    if (!begun) return give_up(std::move(begun).error());
    make(std::make_shared<Allocation>(Allocation{.caller = caller,
                                                 .making = std::move(*begun),
                                                 .options = std::move(options),
                                                 .done = std::move(done),
                                                 .watch = watch,
                                                 .stash = wishes.stash,
                                                 .can_reserve = wishes.can_reserve,
                                                 .policy = std::move(*policy)}));
}

RegionOwner RegionAllocation::owner_of(const Caller& caller) const {
    RegionOwner owner{0, caller.credentials, 0, caller.process, {}, {}, policies_.quota(caller)};
    if (!caller.client) return owner;
    const auto& record = clients_.record(*caller.client);
    owner.serial = clients_.serial(*caller.client);
    owner.start_time = record.start_time;
    owner.worker = record.worker;
    owner.session = record.session;
    return owner;
}

// For regions of default options alone: the client allocates those from its stash.
void RegionAllocation::add_stash(const Allocation& a, Grant& grant) {
    const auto& options = a.options;
    const bool plain = a.caller.client && a.making.pooled() && !a.policy &&
                       options.placement == Placement::automatic && !options.owned_by_user &&
                       !options.audit_access && options.metadata.empty() && options.name.empty() &&
                       !options.exact_permissions && options.owner_end == OwnerEnd::automatic &&
                       options.cleanup_policy == CleanupPolicy::automatic;
    if (a.stash == 0 || !plain) return;
    auto owner = owner_of(a.caller);
    owner.reserves = a.can_reserve;
    grant.stash = stash_.offer(*a.caller.client, a.making.slot, a.stash, options, owner);
    grant.stash_hollow = stash_.hollow(owner);
}

// Here, or in the background when it takes long, or by the client.
void RegionAllocation::make(const std::shared_ptr<Allocation>& allocation) {
    auto& a = *allocation;
    if (a.making.takes_pages()) allocator_.mark_taking(a.making);
    if (!a.making.slow()) {
        a.made = allocator_.make(a.making);
        return a.making.by_client && a.made ? let_client_reserve(allocation) : finish(allocation);
    }
    pending_.insert_or_assign(a.making.slot, allocation);
    state_.run_in_background(
        [this, allocation] { allocation->made = allocator_.make(allocation->making); },
        [this, allocation] { finish(allocation); });
}

// Nobody but the client has the segment, and the slot stays RESERVED: whoever is killed now, the
// segment goes.
void RegionAllocation::let_client_reserve(const std::shared_ptr<Allocation>& allocation) {
    auto& a = *allocation;
    const auto slot = a.making.slot;
    auto handle = allocator_.open_unreserved(a.making);
    if (!handle) {
        a.made = fail(std::move(handle).error());
        a.making.segment.handle.reset();
        return finish(allocation);
    }
    allocator_.note_segment(a.making);
    a.lapses = boot_micros() + kReserveMicros;
    pending_.insert_or_assign(slot, allocation);
    Grant grant;
    grant.slot = slot;
    grant.generation = registry_.control(slot).generation;
    grant.id = registry_.id(slot);
    grant.size = registry_.fixed(slot).size;
    grant.segment_size = a.making.segment.size;
    grant.access = AccessMode::read_write;
    grant.handle = std::move(*handle);
    grant.reserve = true;
    std::exchange(a.done, {})(std::move(grant));
}

void RegionAllocation::reserved(const Caller& caller, std::uint64_t request_id, Done done) {
    const auto slot = find_request(caller, request_id);
    const auto found = slot ? pending_.find(*slot) : pending_.end();
    if (found != pending_.end() && found->second->lapses != 0) {
        const auto allocation = found->second;
        allocation->caller = caller;
        allocation->done = std::move(done);
        allocation->made = allocator_.check_reserved(allocation->making);
        allocation->tried_again = true;  // making room would not reserve the client's pages
        return finish(allocation);
    }
    const auto word = slot ? registry_.control(*slot) : Control{};
    if (word.state == SlotState::live && !word.withdrawn && !word.damaged)
        return done(own(directory_.issue(caller, *slot, AccessMode::read_write, true)));
    done(fail(make_error(ErrorCode::region_not_found,
                         "the manager does not know this allocation any more", "allocate again")));
}

// Before it is LIVE: what was made of it is undone at once.
void RegionAllocation::give_up(const std::shared_ptr<Allocation>& pending, Error error) {
    const auto allocation = pending;  // the table's own pointer goes with it
    allocation->made = fail(std::move(error));
    allocation->tried_again = true;
    if (!allocation->done) allocation->done = [](const Result<Grant>&) {};
    finish(allocation);
}

void RegionAllocation::cancel_all_of(std::uint64_t serial) {
    forget_waiters(serial, std::nullopt);
    std::vector<std::shared_ptr<Allocation>> its;
    for (const auto& [slot, allocation] : pending_)
        if (allocation->caller.serial == serial) its.push_back(allocation);
    for (const auto& allocation : its) {
        allocation->cancelled = true;
        if (allocation->lapses != 0)
            give_up(allocation, make_error(ErrorCode::allocation_failed,
                                           "the connection ended before the memory was reserved"));
    }
}

void RegionAllocation::expire() {
    const auto at = boot_micros();
    std::vector<std::shared_ptr<Allocation>> late;
    for (const auto& [slot, allocation] : pending_)
        if (allocation->lapses != 0 && allocation->lapses <= at) late.push_back(allocation);
    for (const auto& allocation : late)
        give_up(allocation,
                make_error(ErrorCode::timeout, "the program did not reserve the memory"));
    std::erase_if(not_repeated_, [&](const auto& entry) {
        if (entry.second > at) return false;
        registry_.release(entry.first, nullptr);
        return true;
    });
}

void RegionAllocation::cancel(const Caller& caller, std::uint64_t request_id) {
    if (caller.client) forget_waiters(caller.serial, request_id);
    const auto slot = find_request(caller, request_id);
    if (!slot) return;
    const auto word = registry_.control(*slot);
    if (const auto found = pending_.find(*slot); found != pending_.end()) {
        found->second->cancelled = true;
        asked_again_.erase(*slot);
        if (found->second->lapses != 0)
            give_up(found->second,
                    make_error(ErrorCode::allocation_failed, "the program cancelled it"));
    } else if (word.state == SlotState::reserved && word.withdrawn) {
        registry_.release(*slot, nullptr);
        not_repeated_.erase(*slot);
    } else if (word.state == SlotState::live && !word.withdrawn) {
        drop_unclaimed(*slot, word.generation);
    }
}

// Takes that no sweep has counted yet are counted first. Whoever takes a reference after that keeps
// the region: withdrawing an idle grant and taking a reference are swaps of the same word.
void RegionAllocation::drop_unclaimed(std::uint32_t slot, std::uint64_t generation) {
    if (slot >= registry_.frontier()) return;
    lifecycle_.sweep(registry_.time());
    const auto word = registry_.control(slot);
    if (word.generation != generation || word.state != SlotState::live ||
        registry_.stats(slot).access_count > 0)
        return;
    (void)lifecycle_.retire(slot, "the program that asked for it never used it", {});
}

Status RegionAllocation::wanted(const Allocation& allocation) const {
    const auto& caller = allocation.caller;
    const bool there = !caller.client || clients_.serial(*caller.client) == caller.serial;
    if (there && !allocation.cancelled) return {};
    return fail(ErrorCode::allocation_failed, "the program that asked has ended");
}

Status RegionAllocation::place(Allocation& a) {
    SHM_TRY(wanted(a));
    if (a.policy) {
        SHM_ASSIGN(a.row, policies_.adopt(*a.policy, a.caller, a.making));
    }
    allocator_.place(a.making, a.options);
    if (a.options.security_level == SecurityLevel::standard) return {};
    return encryption_.begin(a.making.slot);
}

void RegionAllocation::finish(const std::shared_ptr<Allocation>& allocation) {
    auto& a = *allocation;
    // Shared memory is full, but some of it may be ours and free.
    if (!a.made && retry_is_safe(a.made.error().code) && !a.tried_again) {
        a.tried_again = true;
        const bool recalled = stash_.recall();
        if (state_.make_room() || recalled) return make(allocation);
    }
    a.written = a.made ? place(a) : a.made;
    if (a.written && (a.row || a.making.durable)) return write_down(allocation);
    complete(allocation);
}

void RegionAllocation::write_down(const std::shared_ptr<Allocation>& allocation) {
    const auto slot = allocation->making.slot;
    allocation->lapses = 0;
    pending_.insert_or_assign(slot, allocation);
    std::shared_ptr<const DurableRecord> description;
    if (allocation->making.durable)
        description = std::make_shared<const DurableRecord>(
            DurableStore::describe(registry_.fixed(slot), registry_.body(slot),
                                   registry_.metadata(slot), registry_.name(slot)));
    state_.run_in_background(
        [this, allocation, description] {
            auto& written = allocation->written;
            if (allocation->row) written = policies_.save(*allocation->row, description != nullptr);
            if (written && description) written = allocator_.durable.save(*description);
        },
        [this, allocation] { complete(allocation); });
}

void RegionAllocation::complete(const std::shared_ptr<Allocation>& allocation) {
    auto& a = *allocation;
    const auto slot = a.making.slot;
    pending_.erase(slot);
    Result<Grant> granted = [&]() -> Result<Grant> {
        if (!a.written) return fail(a.written.error());
        SHM_TRY(wanted(a));
        SHM_ASSIGN(auto made, directory_.issue(a.caller, slot, AccessMode::read_write, false));
        allocator_.commit(slot);
        return made;
    }();
    const auto again = asked_again_.extract(slot);
    granted = own(std::move(granted));
    if (granted) {
        const auto& fixed = registry_.fixed(slot);
        ++stats_.counters.allocations;
        stats_.allocations.add(fixed.owner_uid, fixed.session, fixed.worker);
        clients_.add_region(slot);
        lifecycle_.made(slot, !a.caller.client);
        const auto nanos = a.watch.nanos();
        registry_.timed(Timed::allocate).add(nanos);
        lifecycle_.evaluate(slot, registry_.time());
        add_stash(a, *granted);
        a.done(std::move(granted));
        if (!a.making.work.reserve.empty()) {  // the next ones need not wait
            a.making.slice.arena->wants_ahead = true;
            maintenance_.clean_pages();
        }
    } else {
        counter_.revoke_untold(slot, registry_.control(slot).generation);
        policies_.region_freed(registry_.id(slot), false);
        allocator_.abandon(a.making, a.made.has_value());
        a.done(fail(refuse(a.caller, a.making.size, std::move(granted).error())));
    }
    if (again) again.mapped()();
    std::vector<NameWaiter> waiting;
    for (auto [it, end] = name_waiters_.equal_range(slot); it != end; ++it)
        waiting.push_back(std::move(it->second));
    name_waiters_.erase(slot);
    for (const auto& waiter : waiting) waiter.again();
}

Error RegionAllocation::refuse(const Caller& caller, std::uint64_t size, Error error) {
    // Programs that race for a name expect that all but one are refused.
    if (error.code == ErrorCode::name_in_use)
        return refusals_.refuse(caller, std::move(error), "allocate", {});
    ++stats_.counters.allocation_failures;
    refusals_.record({.kind = EventKind::allocation_failed,
                      .result = error.code,
                      .pid = caller.credentials.pid,
                      .uid = caller.credentials.uid,
                      .value = size,
                      .text = error.reason});
    return refusals_.refuse(caller, std::move(error), "allocate", {});
}

void RegionAllocation::refuse_repetition(std::uint32_t slot) {
    const auto& fixed = registry_.fixed(slot);
    allocator_.abandon_for_good(slot, {.kind = EventKind::allocation_failed,
                                       .result = ErrorCode::allocation_failed,
                                       .pid = fixed.owner_pid,
                                       .uid = fixed.owner_uid,
                                       .value = fixed.size,
                                       .text = "the manager ended while it took the memory"});
    not_repeated_[slot] = boot_micros() + kRememberMicros;
}

}  // namespace snakepit::shm
