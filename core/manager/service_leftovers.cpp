// SPDX-License-Identifier: MIT
// What stands in memory and on disk and is in no registry: durable regions come back, the rest
// goes.
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "manager/instance_roster.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

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
        if (auto adopted = allocator_.adopt(*slot, nullptr); !adopted)
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
void Service::remove_leftovers(const SegmentsByName& segments) {
    const auto prefix = fmt::format("/snakepit_{}_", registry_->instance());
    const auto slots = registry_->used();
    const bool unnamed = std::any_of(slots.begin(), slots.end(),
                                     [&](std::uint32_t slot) { return !registry_->named(slot); });
    std::optional<InstanceRoster> others;
    for (const auto& [full_name, segment] : segments) {
        if (segment.uid != ::geteuid()) continue;
        std::string_view name(full_name);
        const bool durable = name.starts_with(kDurablePrefix);
        const bool anonymous = name.starts_with(kAnonymousPrefix);
        name.remove_prefix(durable     ? kDurablePrefix.size()
                           : anonymous ? anonymous_name(prefix).size()
                                       : prefix.size());
        const auto arena = arena_of(name);
        for (const auto suffix : {kSealedSuffix, kSecondSuffix})
            if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
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
        if (!backend_.inspect_segment(segment.name)) continue;  // it went with its slot meanwhile
        if (!others) others = InstanceRoster::read(config_.shm_path, paths_);
        if (anonymous && !unnamed) {  // ours alone to keep, and whoever else holds it keeps it
            if (backend_.forget_segment(segment.name))
                registry_->record({.kind = EventKind::leftover_removed,
                                   .value = segment.allocated,
                                   .id = id ? *id : RegionId{}});
            continue;
        }
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
