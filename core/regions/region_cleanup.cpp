// SPDX-License-Identifier: MIT
#include "regions/region_cleanup.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "regions/time_budget.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Regions checked for one page of an answer, whether they come into it or not, and slots.
constexpr std::size_t kRegionsPerPage = 2'000;
constexpr std::uint32_t kSlotsPerPage = 50'000;

std::string scope_of(const CleanupRequest& request) {
    std::string scope = request.orphans                             ? "orphans"
                        : request.expired                           ? "expired"
                        : request.all_eligible                      ? "all eligible"
                        : request.due                               ? "due"
                        : request.scoped() || !request.only.empty() ? ""
                                                                    : "due";
    const auto add = [&](const std::string& what) {
        scope += fmt::format("{}{}", scope.empty() ? "" : ", ", what);
    };
    if (!request.session.empty()) add("session " + request.session);
    if (!request.worker.empty()) add("worker " + request.worker);
    if (!request.only.empty()) add(fmt::format("{} named", request.only.size()));
    return scope;
}

// Why the request does not concern this region; empty: it does.
std::string_view out_of_scope(const CleanupRequest& request, const SlotFixed& fixed) {
    if (!request.session.empty() && request.session != fixed.session)
        return "it was not made in that session";
    if (!request.worker.empty() && request.worker != fixed.worker)
        return "it was not made by that worker";
    return {};
}

void add_item(CleanupResult& result, CleanupItem item) {
    if (item.removed) ++result.removed;
    if (item.quarantined) {
        ++result.quarantined;
        result.bytes_quarantined += item.bytes;
    } else if (item.removed) {
        result.bytes_freed += item.bytes;
    }
    result.items.push_back(std::move(item));
}

}  // namespace

Result<bool> RegionCleanup::deallocate(const Caller& caller, const RegionId& id, bool force) {
    return refusals_.check(caller, "deallocate", id, [&]() -> Result<bool> {
        SHM_ASSIGN(const auto slot, policies_.usable(caller, id, Operation::manage));
        auto word = registry_.control(slot);
        if (word.state == SlotState::retiring || word.state == SlotState::freeing) return false;
        if (!word.withdrawn) {
            // Or a reboot would bring it back.
            if ((registry_.body(slot).flags & kDurable) != 0)
                SHM_TRY(allocator_.durable.forget(id));
            lifecycle_.withdraw(slot, event_by(caller, {}));
            ++stats_.counters.deallocations;
            locks_.dismiss_waiters(slot);
            signals_.end(slot);
        }
        SHM_ASSIGN(const bool retired, lifecycle_.retire(slot, "deallocated", caller.credentials));
        if (retired || !force) return retired;
        SHM_TRY(allocator_.wipe(slot));
        word = registry_.control(slot);
        word.state = SlotState::revoked;
        registry_.store(slot, word);
        return false;
    }());
}

Result<bool> RegionCleanup::quarantine(const Caller& caller, const RegionId& id) {
    if (config_.quarantine_ms == 0) return deallocate(caller, id, false);
    return refusals_.check(caller, "deallocate", id, [&]() -> Result<bool> {
        SHM_ASSIGN(const auto slot, policies_.usable(caller, id, Operation::manage));
        const auto word = registry_.control(slot);
        if (word.state == SlotState::quarantined) return false;
        if (word.state != SlotState::live || word.withdrawn)
            return fail(ErrorCode::region_not_found,
                        fmt::format("{} has been deallocated", id.str()),
                        "it can be restored only from quarantine");
        SHM_ASSIGN(
            const bool entered,
            lifecycle_.enter_quarantine(slot, "deallocated", caller.credentials, registry_.time()));
        if (!entered)
            return fail(ErrorCode::region_in_use,
                        fmt::format("{} is in use: {}", id.str(),
                                    pluralize(registry_.stats(slot).references, "reference")),
                        "wait until it is released, or deallocate it without quarantine: its "
                        "memory is freed with the last reference then");
        ++stats_.counters.deallocations;
        return false;
    }());
}

Result<std::string> RegionCleanup::restore(const Caller& caller, const RegionId& id) {
    return refusals_.check(caller, "restore", id, [&]() -> Result<std::string> {
        SHM_ASSIGN(const auto slot, policies_.usable(caller, id, Operation::tidy));
        auto word = registry_.control(slot);
        if (word.state != SlotState::quarantined)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("{} is not in quarantine", id.str()),
                        "'snakepit-shm list state:quarantined' shows what can be restored");
        const auto at = registry_.time();
        // First, so that a manager killed after the commit does not count it as expired.
        auto stats = registry_.stats(slot);
        stats.last_accessed = at;
        registry_.write_stats(slot, stats);
        auto body = registry_.body(slot);
        body.deadline = 0;
        registry_.write_other_body(slot, body, word.generation);
        word.state = SlotState::live;
        word.withdrawn = false;
        word.body ^= 1U;
        registry_.commit(slot, word, event_by(caller, {.kind = EventKind::restored}));
        auto reason = cleaner_.judge(lifecycle_.idle_facts(slot), at).reason;
        lifecycle_.evaluate(slot, at);
        return reason;
    }());
}

// A region whose memory could not be freed: tried again.
CleanupItem RegionCleanup::clean_stuck(const Caller& caller, std::uint32_t slot, bool dry_run) {
    CleanupItem item{registry_.id(slot), registry_.body(slot).actual_size, {}, false};
    if (!dry_run && lifecycle_.free(slot, "cleanup was tried again", caller.credentials)) {
        item.reason = lifecycle_.wiping(slot) ? "it is being overwritten with zeros"
                                              : "its memory could be freed now";
        item.removed = true;
        return item;
    }
    const auto found = lifecycle_.stuck().find(slot);
    item.reason =
        found == lifecycle_.stuck().end() ? "it is being freed" : found->second.sentence();
    return item;
}

// One region: what would be done, and unless it is a dry run, what was.
CleanupItem RegionCleanup::clean(const Caller& caller, std::uint32_t slot,
                                 const CleanupRequest& request, std::int64_t at) {
    const auto word = registry_.control(slot);
    if (word.state == SlotState::freeing) return clean_stuck(caller, slot, request.dry_run);
    const auto& body = registry_.body(slot);
    CleanupItem item{registry_.id(slot), body.actual_size, {}, false};
    if (word.state == SlotState::retiring) {
        item.reason = "it is being moved at this moment; ask again";
        return item;
    }
    if (const auto why = out_of_scope(request, registry_.fixed(slot)); !why.empty()) {
        item.reason = why;
        return item;
    }
    if (word.state == SlotState::quarantined && !request.no_quarantine) {
        item.reason =
            fmt::format("in quarantine for {} more",
                        format_duration(std::max<std::int64_t>(0, body.deadline - at) / 1000));
        return item;
    }
    if (clients_.held(slot)) {
        lifecycle_.refresh(slot, 0, at);
        item.reason = "in use: " + pluralize(registry_.stats(slot).references, "reference");
        return item;
    }
    const auto verdict = cleaner_.judge(lifecycle_.idle_facts(slot), request, at);
    item.reason = verdict.reason;
    item.removed = verdict.due;
    item.quarantined = verdict.due && !request.no_quarantine && config_.quarantine_ms > 0 &&
                       word.state == SlotState::live && !word.withdrawn;
    if (verdict.due && !request.dry_run) carry_out(caller, slot, item);
    return item;
}

void RegionCleanup::carry_out(const Caller& caller, std::uint32_t slot, CleanupItem& item) {
    const auto reason = fmt::format("cleanup: {}", item.reason);
    const auto done = item.quarantined ? lifecycle_.enter_quarantine(
                                             slot, reason, caller.credentials, registry_.time())
                                       : lifecycle_.retire(slot, reason, caller.credentials);
    item.removed = done && *done;
    item.quarantined = item.quarantined && item.removed;
    if (!done)
        item.reason = done.error().sentence();
    else if (!*done)
        item.reason = "in use: taken meanwhile";
}

CleanupResult RegionCleanup::cleanup(const Caller& caller, const CleanupRequest& request,
                                     std::uint32_t& slot, std::size_t most) {
    CleanupResult result;
    result.dry_run = request.dry_run;
    const auto at = registry_.time();
    const auto consider = [&](std::uint32_t candidate) {
        if (const auto may = policies_.check(caller, Operation::tidy, candidate))
            add_item(result, clean(caller, candidate, request, at));
        else if (!request.only.empty())  // what was not named is left out
            result.items.push_back(
                {registry_.id(candidate), 0,
                 refusals_.refuse(caller, may.error(), "cleanup", registry_.id(candidate)).message,
                 false});
    };
    TimeBudget budget(kRegionsPerPage);
    const auto end =
        std::min<std::uint64_t>(registry_.frontier(), std::uint64_t{slot} + kSlotsPerPage);
    for (; request.only.empty() && slot < end && result.items.size() < most; ++slot) {
        const auto word = registry_.control(slot);
        if (!word.occupied() && word.state != SlotState::freeing) continue;
        if (!out_of_scope(request, registry_.fixed(slot)).empty()) continue;
        if (!budget.spend()) break;
        consider(slot);
    }
    for (const auto& id : request.only) {
        const auto named = registry_.find(id);
        const auto word = named ? registry_.control(*named) : Control{};
        if (word.occupied() || word.state == SlotState::freeing)
            consider(*named);
        else
            result.items.push_back({id, 0, "it has ended already", false});
    }
    if (!request.only.empty()) slot = registry_.frontier();
    if (!request.dry_run && (result.removed > 0 || slot >= registry_.frontier()))
        registry_.record(event_by(caller, {.kind = EventKind::cleanup,
                                           .count = static_cast<std::uint32_t>(result.removed),
                                           .value = result.bytes_freed,
                                           .text = scope_of(request)}));
    return result;
}

}  // namespace snakepit::shm
