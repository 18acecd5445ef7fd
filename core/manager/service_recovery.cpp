// SPDX-License-Identifier: MIT
// What a new manager does with what the last one left. Every step can be cut off and run again.
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "manager/instance_roster.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

void Service::recover() {
    if (!registry_->note().empty())
        registry_->record({.kind = EventKind::registry_reset, .text = registry_->note()});
    allocator_.recount();
    recover_clients();
    recover_locks();
    std::uint32_t adopted = 0;
    const auto at = now().micros;
    for (const auto slot : registry_->used()) {
        recover_slot(slot);
        if (!registry_->control(slot).occupied()) continue;
        ++adopted;
        if (!owner_alive(slot)) orphan(slot, at);
    }
    remove_leftovers();
    // Before anything is judged: what was used while no manager ran is not expired.
    counter_.sweep([&](std::uint32_t slot, std::uint64_t takes) { refresh(slot, takes, at); });
    evaluate_all();
    registry_->record({.kind = EventKind::manager_started,
                       .pid = ::getpid(),
                       .uid = ::geteuid(),
                       .count = static_cast<std::uint32_t>(client_of_serial_.size()),
                       .value = adopted});
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

void Service::damage(std::uint32_t slot, std::string_view what) {
    auto word = registry_->control(slot);
    if (word.damaged) return;
    word.damaged = true;
    if (!word.occupied()) word.state = SlotState::live;
    registry_->commit(
        slot, word,
        {.kind = EventKind::damaged, .result = ErrorCode::corruption_detected, .text = what});
}

void Service::recover_slot(std::uint32_t slot) {
    const auto word = registry_->control(slot);
    if (word.state == SlotState::reserved) {
        counter_.revoke_untold(slot, word.generation);
        allocator_.abandon(slot);
        return;
    }
    if (!registry_->intact(slot))
        return damage(slot, "the registry's description of it fails its checksum");
    switch (word.state) {
        case SlotState::freeing:
            (void)finish(slot, "completed after a restart", {});
            return;
        case SlotState::retiring: {
            auto back = word;
            back.state = word.from_quarantine ? SlotState::quarantined : SlotState::live;
            back.from_quarantine = false;
            registry_->store(slot, back);  // evaluated again like every other
            break;
        }
        default:
            break;
    }
    const auto& body = registry_->body(slot);
    const auto segment = backend_.inspect_segment(allocator_.segment_name_of(slot));
    if (!segment)
        damage(slot, "its segment is gone: removed by someone else");
    else if (segment->identity != FileIdentity{body.device, body.inode} ||
             segment->uid != ::geteuid())
        damage(slot, "its segment was exchanged by someone else");
    else if (segment->size != body.actual_size)
        damage(slot, "its segment was cut by someone else");
    refresh(slot, 0, now().micros);
}

// Segments with our instance's name that no slot knows: from a registry that was lost. They go only
// when nobody maps or holds them and no other manager of that name claims them.
void Service::remove_leftovers() {
    const auto prefix = fmt::format("/snakepit_{}_", registry_->instance());
    const auto segments = backend_.list_segments(prefix);
    if (!segments) return;
    const auto slots = registry_->used();
    const bool unnamed = std::any_of(slots.begin(), slots.end(),
                                     [&](std::uint32_t slot) { return !registry_->named(slot); });
    std::optional<InstanceRoster> others;
    for (const auto& segment : *segments) {
        const auto id = RegionId::parse(std::string_view(segment.name).substr(prefix.size()));
        if (!id || registry_->find(*id) || segment.uid != ::geteuid()) continue;
        if (!others) others = InstanceRoster::read(config_.shm_path, paths_);
        const auto users = backend_.users_of(segment.identity);
        std::string keep;
        if (unnamed)
            keep = "it may belong to a slot whose description is damaged";
        else if (others->claims(*id))
            keep = "another manager of this name knows it";
        else if (!users)
            keep = users.error().message;
        else if (!users->empty())
            keep = fmt::format("process {} uses it", users->front());
        const Event event{
            .kind = keep.empty() ? EventKind::leftover_removed : EventKind::leftover_kept,
            .value = segment.allocated,
            .text = keep,
            .id = *id};
        if (keep.empty() && !backend_.remove_segment(segment.name, segment.identity)) continue;
        registry_->record(event);
    }
}

}  // namespace snakepit::shm
