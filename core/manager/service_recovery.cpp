// SPDX-License-Identifier: MIT
// What a new manager does with what the last one left. Every step can be cut off and run again.
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/time.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// A client asks again within its deadline, which is seconds.
constexpr std::int64_t kRememberMicros = 120'000'000;

}  // namespace

Status Service::recover() {
    if (!registry_->note().empty())
        registry_->record({.kind = EventKind::registry_reset, .text = registry_->note()});
    policies_.open();
    allocator_.recount();
    recover_clients();
    recover_locks();
    registry_->follow_wall_clock();
    std::uint32_t adopted = 0;
    const auto at = registry_->time();
    const auto segments = list_segments();
    // Before anything is judged: what was used while no manager ran is not expired.
    std::vector<std::uint64_t> takes(registry_->frontier());
    counter_.sweep([&](std::uint32_t slot, std::uint64_t n) {
        if (slot < takes.size()) takes[slot] = n;
    });
    for (const auto slot : registry_->used()) {
        recover_slot(slot, segments, takes[slot], at);
        if (!registry_->control(slot).occupied()) continue;
        ++adopted;
        if (!owner_alive(slot)) orphan(slot, at);
    }
    if (recovery_problem_) return fail(*recovery_problem_);
    allocator_.pool.adopted();
    adopt_durable();
    policies_.recover();
    allocator_.recount();
    if (segments) remove_stale_segments(*segments);
    // Just counted: of those that are held, only withdrawn ones and those whose policy is not in
    // effect have something to be told.
    for (const auto slot : registry_->used())
        if (registry_->stats(slot).references == 0 || registry_->control(slot).withdrawn ||
            (registry_->body(slot).flags & kPolicyPending) != 0)
            evaluate(slot, at);
    health_ = {at, adopted};  // each was looked at
    next_health_look_ = at + config_.health_check_interval_ms * 1000;
    next_full_look_ = at + config_.cleanup_interval_ms * 1000;
    registry_->record({.kind = EventKind::manager_started,
                       .pid = ::getpid(),
                       .uid = ::geteuid(),
                       .count = static_cast<std::uint32_t>(client_of_serial_.size()),
                       .value = adopted});
    return {};
}

// Those of this instance, asked for all at once: one look each would cost as much as everything
// else in a recovery. Nothing when they cannot be listed.
std::optional<SegmentsByName> Service::list_segments() {
    const auto prefix = fmt::format("/snakepit_{}_", registry_->instance());
    auto listed = backend_.list_segments(prefix);
    auto anonymous = backend_.list_segments(anonymous_name(prefix));
    auto durable = backend_.list_segments(kDurablePrefix);
    if (!listed || !anonymous || !durable) return std::nullopt;
    SegmentsByName out(listed->size() + anonymous->size() + durable->size());
    for (auto* list : {&*listed, &*anonymous, &*durable})
        for (auto& segment : *list) out.emplace(segment.name, std::move(segment));
    return out;
}

// A record and a row with the same serial are a client. A record alone is one whose coming was
// never committed, and so never answered, or whose going was: nobody has to hear of it any more.
void Service::recover_clients() {
    for (std::uint32_t i = 0; i < kMaxClients; ++i) {
        const auto serial = grants_.record(i).serial.load(std::memory_order_relaxed);
        const auto known = registry_->client_serial(i);
        if (serial == 0) {
            if (known != 0)
                registry_->commit_client(i, ClientRow{}, {.kind = EventKind::client_gone});
        } else if (serial != known) {
            counter_.drop_client(i);
        } else if (const auto gone = counter_.gone(i); gone && *gone) {
            drop(i);
        } else {  // what cannot be found out counts as alive
            counter_.adopt_client(i);
            client_of_serial_[serial] = i;
            publish_client(i, false);  // until it comes back
        }
    }
    counter_.remove_stray_pages();
}

// The kernel may have ended the last manager for the memory that this request asked for: it is not
// tried again. The slot stays as it is until the client has asked, so that a manager that is killed
// before that leaves it to the next.
void Service::refuse_repetition(std::uint32_t slot) {
    const auto& fixed = registry_->fixed(slot);
    allocator_.abandon_for_good(slot, {.kind = EventKind::allocation_failed,
                                       .result = ErrorCode::allocation_failed,
                                       .pid = fixed.owner_pid,
                                       .uid = fixed.owner_uid,
                                       .value = fixed.size,
                                       .text = "the manager ended while it took the memory"});
    not_repeated_[slot] = boot_micros() + kRememberMicros;
}

// `segments`: all of ours there are; nothing when they could not be listed. `takes`: uncounted
// ones.
void Service::recover_slot(std::uint32_t slot, const std::optional<SegmentsByName>& segments,
                           std::uint64_t takes, std::int64_t at) {
    const auto word = registry_->control(slot);
    if (word.state == SlotState::reserved) {
        counter_.revoke_untold(slot, word.generation);
        if (!word.withdrawn && !allocator_.was_taking(slot)) return allocator_.abandon(slot);
        return refuse_repetition(slot);
    }
    if (!registry_->intact(slot))
        return damage(slot, "the registry's description of it fails its checksum");
    const auto adopted = allocator_.adopt(slot, segments ? &*segments : nullptr);
    if (word.state == SlotState::freeing) {
        (void)finish(slot, "completed after a restart", {});
        return;
    }
    if (word.state == SlotState::retiring) {
        auto back = word;
        back.state = word.from_quarantine ? SlotState::quarantined : SlotState::live;
        back.from_quarantine = false;
        registry_->store(slot, back);  // evaluated again like every other
    }
    if (!adopted && adopted.error().code == ErrorCode::corruption_detected)
        damage(slot, adopted.error().message);
    else if (!adopted)
        recovery_problem_ = adopted.error();  // of ours: the region is as good as it was
    keep_description(slot);
    refresh(slot, takes, at);
}

}  // namespace snakepit::shm
