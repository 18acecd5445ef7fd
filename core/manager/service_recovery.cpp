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
    std::uint32_t adopted = 0;
    const auto at = now().micros;
    // Before anything is judged: what was used while no manager ran is not expired.
    std::vector<std::uint64_t> takes(registry_->frontier());
    counter_.sweep([&](std::uint32_t slot, std::uint64_t n) {
        if (slot < takes.size()) takes[slot] = n;
    });
    for (const auto slot : registry_->used()) {
        recover_slot(slot, takes[slot], at);
        if (!registry_->control(slot).occupied()) continue;
        ++adopted;
        if (!owner_alive(slot)) orphan(slot, at);
    }
    allocator_.pool.adopted();
    adopt_durable();
    allocator_.recount();
    remove_leftovers();
    // Just counted: of those that are held, only withdrawn ones have something to be told.
    for (const auto slot : registry_->used())
        if (registry_->stats(slot).references == 0 || registry_->control(slot).withdrawn)
            evaluate(slot, at);
    next_full_look_ = at + config_.cleanup_interval_ms * 1000;
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

// `takes`: those that were not counted yet.
void Service::recover_slot(std::uint32_t slot, std::uint64_t takes, std::int64_t at) {
    const auto word = registry_->control(slot);
    if (word.state == SlotState::reserved) {
        counter_.revoke_untold(slot, word.generation);
        allocator_.abandon(slot);
        return;
    }
    if (!registry_->intact(slot))
        return damage(slot, "the registry's description of it fails its checksum");
    const auto adopted = allocator_.adopt(slot);
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
    if (!adopted) damage(slot, adopted.error().message);
    const bool durable = (registry_->body(slot).flags & kDurable) != 0;
    if (durable && !word.withdrawn && !allocator_.durable.has(registry_->id(slot)))
        (void)allocator_.durable.save(registry_->fixed(slot), registry_->body(slot),
                                      registry_->metadata(slot));
    refresh(slot, takes, at);
}

// Durable regions of a registry that is no more: as they were, and nobody's but their user's.
void Service::adopt_durable() {
    std::vector<std::string> damaged;
    for (const auto& record : allocator_.durable.all(damaged)) {
        const RegionId id{record.fixed.id_micros, record.fixed.id_random};
        if (registry_->find(id)) continue;
        auto fixed = record.fixed;
        fixed.owner_serial = fixed.request_id = 0;
        auto body = record.body;
        body.flags &= ~kSealPending;
        const auto segment =
            backend_.inspect_segment(segment_name(registry_->instance(), id, body));
        const auto slot =
            registry_->reserve(fixed, std::string_view(record.metadata.text, body.metadata_bytes));
        if (!segment || !slot) {
            damaged.push_back(id.str());
            continue;
        }
        body.device = segment->identity.device;
        body.inode = segment->identity.inode;
        registry_->write_body(*slot, body);
        auto word = registry_->control(*slot);
        word.state = SlotState::live;
        registry_->commit(*slot, word,
                          {.kind = EventKind::durable_restored,
                           .uid = fixed.owner_uid,
                           .value = fixed.size,
                           .text = fixed.owner_process});
        (void)allocator_.durable.save(registry_->fixed(*slot), registry_->body(*slot),
                                      registry_->metadata(*slot));
        if (auto adopted = allocator_.adopt(*slot); !adopted)
            damage(*slot, adopted.error().message);
    }
    for (const auto& name : damaged)
        registry_->record({.kind = EventKind::leftover_kept,
                           .result = ErrorCode::corruption_detected,
                           .text = fmt::format("durable/{}: it cannot be restored", name)});
}

// Segments with our instance's name that no slot knows. Those of regions that live elsewhere now
// are what a move left. Others are of a registry that was lost: they go only when nobody maps or
// holds them and no other manager of that name claims them.
void Service::remove_leftovers() {
    const auto prefix = fmt::format("/snakepit_{}_", registry_->instance());
    auto segments = backend_.list_segments(prefix);
    if (!segments) return;
    if (const auto durable = backend_.list_segments(kDurablePrefix))
        segments->insert(segments->end(), durable->begin(), durable->end());
    const auto slots = registry_->used();
    const bool unnamed = std::any_of(slots.begin(), slots.end(),
                                     [&](std::uint32_t slot) { return !registry_->named(slot); });
    std::optional<InstanceRoster> others;
    for (const auto& segment : *segments) {
        if (segment.uid != ::geteuid()) continue;
        std::string_view name(segment.name);
        const bool durable = name.starts_with(kDurablePrefix);
        name.remove_prefix(durable ? kDurablePrefix.size() : prefix.size());
        const auto arena = arena_of(name);
        if (name.ends_with(kSealedSuffix)) name.remove_suffix(kSealedSuffix.size());
        const auto id = RegionId::parse(name);
        if (!id && !arena) continue;
        const auto slot = id ? registry_->find(*id) : std::nullopt;
        if (slot &&
            (allocator_.segment_name_of(*slot) == segment.name || !registry_->intact(*slot)))
            continue;
        if (slot) {
            (void)backend_.remove_segment(segment.name, segment.identity);
            continue;
        }
        if (arena && allocator_.pool.ours(*arena)) continue;  // seen to by the pool
        if (durable && allocator_.durable.has(*id)) continue;
        if (!others) others = InstanceRoster::read(config_.shm_path, paths_);
        const auto users = backend_.users_of(segment.identity);
        std::string keep;
        if (unnamed)
            keep = "it may belong to a slot whose description is damaged";
        else if (id ? others->claims(*id) : others->claims_arena(*arena))
            keep = "another manager of this name knows it";
        else if (!users)
            keep = users.error().message;
        else if (!users->empty())
            keep = fmt::format("process {} uses it", users->front());
        const Event event{
            .kind = keep.empty() ? EventKind::leftover_removed : EventKind::leftover_kept,
            .value = segment.allocated,
            .text = keep,
            .id = id ? *id : RegionId{}};
        if (keep.empty() && !backend_.remove_segment(segment.name, segment.identity)) continue;
        registry_->record(event);
    }
}

}  // namespace snakepit::shm
