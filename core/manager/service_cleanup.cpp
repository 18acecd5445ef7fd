// SPDX-License-Identifier: MIT
// Ends of regions that a person asks for: cleanup, quarantine, and the way back.
#include <algorithm>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/units.h"
#include "manager/service.h"
#include "manager/turn.h"
#include "memory/canary.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Regions looked at for one page of an answer, whether they come into it or not, and slots.
constexpr std::size_t kRegionsAPage = 2'000;
constexpr std::uint32_t kSlotsAPage = 50'000;
// What is larger is overwritten on another thread: zeros cost about 0.2 ms a MiB.
constexpr std::uint64_t kWipeElsewhere = 4 << 20;

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

// Why the request does not look at this region; empty: it does.
std::string_view out_of_scope(const CleanupRequest& request, const SlotFixed& fixed) {
    if (!request.session.empty() && request.session != fixed.session)
        return "it was not made in that session";
    if (!request.worker.empty() && request.worker != fixed.worker)
        return "it was not made by that worker";
    return {};
}

}  // namespace

// ------------------------------------------------------------------ quarantine

// RETIRING, every idle grant withdrawn, and then body, state and event in one step: a manager that
// is killed before it leaves a live region, one killed after it a region that can be restored.
Result<bool> Service::enter_quarantine(std::uint32_t slot, const std::string& reason,
                                       const Credentials& by, std::int64_t at) {
    auto word = registry_->control(slot);
    if (!withdraw_grants(slot)) return false;
    auto body = registry_->body(slot);
    body.deadline = at + config_.quarantine_ms * 1000;
    registry_->write_other_body(slot, body, word.generation);
    word.state = SlotState::quarantined;
    word.body ^= 1U;
    registry_->commit(slot, word,
                      {.kind = EventKind::quarantined,
                       .pid = by.pid,
                       .uid = by.uid,
                       .value = body.actual_size,
                       .text = reason});
    schedule(slot, body.deadline);
    return true;
}

Result<bool> Service::quarantine(const Caller& caller, const RegionId& id) {
    if (config_.quarantine_ms == 0) return deallocate(caller, id, false);
    Result<bool> gone = [&]() -> Result<bool> {
        SHM_ASSIGN(const auto slot, usable(caller, id, Operation::manage));
        const auto word = registry_->control(slot);
        if (word.state == SlotState::quarantined) return false;
        if (word.state != SlotState::live || word.withdrawn)
            return fail(ErrorCode::region_not_found,
                        fmt::format("{} has been deallocated", id.str()),
                        "it can be restored only from quarantine");
        SHM_ASSIGN(const bool entered,
                   enter_quarantine(slot, "deallocated", caller.credentials, registry_->time()));
        if (!entered)
            return fail(ErrorCode::region_in_use,
                        fmt::format("{} is in use: {}", id.str(),
                                    counted(registry_->stats(slot).references, "reference")),
                        "wait until it is given back, or deallocate it without quarantine: its "
                        "memory goes with the last reference then");
        ++figures_.counters.deallocations;
        return false;
    }();
    if (!gone) return fail(refuse(caller, std::move(gone).error(), "deallocate", id));
    return gone;
}

Result<std::string> Service::restore(const Caller& caller, const RegionId& id) {
    Result<std::string> next = [&]() -> Result<std::string> {
        SHM_ASSIGN(const auto slot, usable(caller, id, Operation::tidy));
        auto word = registry_->control(slot);
        if (word.state != SlotState::quarantined)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("{} is not in quarantine", id.str()),
                        "'snakepit-shm list state:quarantined' shows what can be restored");
        const auto at = registry_->time();
        // First, so that a manager killed after the commit does not take it for expired.
        auto stats = registry_->stats(slot);
        stats.last_accessed = at;
        registry_->write_stats(slot, stats);
        auto body = registry_->body(slot);
        body.deadline = 0;
        registry_->write_other_body(slot, body, word.generation);
        word.state = SlotState::live;
        word.withdrawn = false;
        word.body ^= 1U;
        registry_->commit(slot, word,
                          {.kind = EventKind::restored,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .text = caller.process});
        auto reason = cleaner_.judge(idle_facts(slot), at).reason;
        evaluate(slot, at);
        return reason;
    }();
    if (!next) return fail(refuse(caller, std::move(next).error(), "restore", id));
    return next;
}

// --------------------------------------------------------------------- cleanup

// A region whose memory could not be given back: tried again, or told.
CleanupItem Service::clean_stuck(const Caller& caller, std::uint32_t slot, bool dry_run) {
    CleanupItem item{registry_->id(slot), registry_->body(slot).actual_size, {}, false};
    if (!dry_run && finish(slot, "cleanup was tried again", caller.credentials)) {
        item.reason = wiping_.contains(slot) ? "it is being overwritten with zeros"
                                             : "its memory could be given back now";
        item.removed = true;
        return item;
    }
    const auto found = stuck_.find(slot);
    item.reason = found == stuck_.end() ? "it is being freed" : found->second.sentence();
    return item;
}

// One region: what would be done, and unless it is a dry run, what was.
CleanupItem Service::clean(const Caller& caller, std::uint32_t slot, const CleanupRequest& request,
                           std::int64_t at) {
    const auto word = registry_->control(slot);
    if (word.state == SlotState::freeing) return clean_stuck(caller, slot, request.dry_run);
    const auto& body = registry_->body(slot);
    CleanupItem item{registry_->id(slot), body.actual_size, {}, false};
    if (word.state == SlotState::retiring) {
        item.reason = "it is being moved at this moment; ask again";
        return item;
    }
    if (const auto why = out_of_scope(request, registry_->fixed(slot)); !why.empty()) {
        item.reason = why;
        return item;
    }
    if (word.state == SlotState::quarantined && !request.no_quarantine) {
        item.reason =
            fmt::format("in quarantine for {} more",
                        format_duration(std::max<std::int64_t>(0, body.deadline - at) / 1000));
        return item;
    }
    if (held(slot)) {
        refresh(slot, 0, at);
        item.reason = "in use: " + counted(registry_->stats(slot).references, "reference");
        return item;
    }
    const auto verdict = cleaner_.judge(idle_facts(slot), request, at);
    item.reason = verdict.reason;
    item.removed = verdict.due;
    item.quarantined = verdict.due && !request.no_quarantine && config_.quarantine_ms > 0 &&
                       word.state == SlotState::live && !word.withdrawn;
    if (verdict.due && !request.dry_run) carry_out(caller, slot, item);
    return item;
}

void Service::carry_out(const Caller& caller, std::uint32_t slot, CleanupItem& item) {
    const auto reason = fmt::format("cleanup: {}", item.reason);
    const auto done = item.quarantined
                          ? enter_quarantine(slot, reason, caller.credentials, registry_->time())
                          : retire(slot, reason, caller.credentials);
    item.removed = done && *done;
    item.quarantined = item.quarantined && item.removed;
    if (!done)
        item.reason = done.error().sentence();
    else if (!*done)
        item.reason = "in use: taken meanwhile";
}

Result<CleanupResult> Service::cleanup(const Caller& caller, const CleanupRequest& request,
                                       std::uint32_t& slot, std::size_t most) {
    CleanupResult result;
    result.dry_run = request.dry_run;
    const auto at = registry_->time();
    const auto consider = [&](std::uint32_t candidate) {
        if (const auto may = policies_.check(caller, Operation::tidy, candidate))
            add_item(result, clean(caller, candidate, request, at));
        else if (!request.only.empty())  // of what was not named nobody has to hear
            result.items.push_back(
                {registry_->id(candidate), 0,
                 refuse(caller, may.error(), "cleanup", registry_->id(candidate)).message, false});
    };
    Turn turn(kRegionsAPage);
    const auto end =
        std::min<std::uint64_t>(registry_->frontier(), std::uint64_t{slot} + kSlotsAPage);
    for (; request.only.empty() && slot < end && result.items.size() < most; ++slot) {
        const auto word = registry_->control(slot);
        if (!word.occupied() && word.state != SlotState::freeing) continue;
        if (!out_of_scope(request, registry_->fixed(slot)).empty()) continue;
        if (!turn.take()) break;
        consider(slot);
    }
    for (const auto& id : request.only) {
        const auto named = registry_->find(id);
        const auto word = named ? registry_->control(*named) : Control{};
        if (word.occupied() || word.state == SlotState::freeing)
            consider(*named);
        else
            result.items.push_back({id, 0, "it is gone already", false});
    }
    if (!request.only.empty()) slot = registry_->frontier();
    if (!request.dry_run && (result.removed > 0 || slot >= registry_->frontier()))
        registry_->record({.kind = EventKind::cleanup,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .count = static_cast<std::uint32_t>(result.removed),
                           .value = result.bytes_freed,
                           .text = scope_of(request)});
    return result;
}

void Service::add_item(CleanupResult& result, CleanupItem item) {
    if (item.removed) ++result.removed;
    if (item.quarantined) {
        ++result.quarantined;
        result.bytes_quarantined += item.bytes;
    } else if (item.removed) {
        result.bytes_freed += item.bytes;
    }
    result.items.push_back(std::move(item));
}

// ----------------------------------------------------------------- giving back

// Where nobody can take it any more and it is certain to go: the last chance to leave nothing of it
// behind. Also of what a manager that was killed had begun to give back.
Status Service::give_back(std::uint32_t slot, const std::string& reason, const Credentials& by) {
    if (wiping_.contains(slot)) return {};
    const Stopwatch watch;
    const auto& body = registry_->body(slot);
    // A slice is overwritten before its pages are handed out again anyway.
    // Nor can memory that the kernel lets nobody write be overwritten, or be had by anybody else.
    const auto level = static_cast<SecurityLevel>(body.security_level);
    const bool overwritten = config_.secure_cleanup || level != SecurityLevel::standard;
    if (!overwritten || body.arena != 0 || allocator_.immutable(slot))
        return release(slot, reason, by, watch);
    if (body.sealed != 0) (void)backend_.set_read_only(allocator_.segment_name_of(slot), false);
    auto segment = allocator_.open(slot, AccessMode::read_write);
    if (!segment) return release(slot, reason, by, watch);  // gone or exchanged: that is told there
    const auto size = stored_bytes(registry_->fixed(slot).size, level);
    if (size < kWipeElsewhere) {
        if (auto wiped = overwrite_with_zeros(*segment, body.offset, size); !wiped)
            return stuck(slot, std::move(wiped).error());
        return release(slot, reason, by, watch);
    }
    wiping_.insert(slot);
    auto handle = std::make_shared<Handle>(std::move(*segment));
    auto wiped = std::make_shared<Status>();
    run_long_([=, offset = body.offset] { *wiped = overwrite_with_zeros(*handle, offset, size); },
              [=, this] {
                  wiping_.erase(slot);
                  if (*wiped)
                      (void)release(slot, reason, by, watch);  // a failure is kept in stuck_
                  else
                      (void)stuck(slot, std::move(*wiped).error());
              });
    return {};
}

Status Service::release(std::uint32_t slot, const std::string& reason, const Credentials& by,
                        const Stopwatch& watch) {
    const auto& body = registry_->body(slot);
    const bool pooled = body.arena != 0;
    const auto id = registry_->id(slot);
    const bool touched = !notes(slot).untouched || (body.flags & kHasCanary) != 0;
    auto released = allocator_.release(slot,
                                       {.kind = EventKind::freed,
                                        .pid = by.pid,
                                        .uid = by.uid,
                                        .value = body.actual_size,
                                        .text = reason},
                                       touched);
    if (!released) return stuck(slot, std::move(released).error());
    policies_.forget(id);
    stuck_.erase(slot);
    faults_.erase(slot);
    owner_gone_.erase(slot);
    notes(slot) = {};
    watch.stop(registry_->timed(Timed::cleanup));
    if (pooled) freed_pages();
    return {};
}

// Told once as an event, and for as long as it lasts by `health` and `cleanup`.
tl::unexpected<Error> Service::stuck(std::uint32_t slot, Error error) {
    if (error.remedy.empty())
        error.remedy = fmt::format(
            "it is tried again every {}; if it stays so, stop the manager, "
            "remove segment {} by hand and start it again",
            format_duration(config_.cleanup_interval_ms), allocator_.segment_name_of(slot));
    error = errors_.handle(std::move(error), {"cleanup", registry_->id(slot), {}, {}});
    const bool news = stuck_.insert_or_assign(slot, error).second;
    if (news)
        registry_->record(slot, {.kind = EventKind::cleanup_failed,
                                 .result = error.code,
                                 .value = registry_->body(slot).actual_size,
                                 .text = error.message});
    return fail(std::move(error));
}

}  // namespace snakepit::shm
