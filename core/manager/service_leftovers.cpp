// SPDX-License-Identifier: MIT
// What stands in memory and on disk and is in no registry: durable regions come back, the rest
// goes.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include <fmt/format.h>

#include "layout/ownership.h"
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

namespace {

// What was kept, and why: one event a reason, because the text has room for no names.
class Kept {
  public:
    void add(std::string_view reason, std::uint64_t bytes, const RegionId& id) {
        auto& [count, total, first] = by_reason_[reason];
        if (count++ == 0) first = id;
        total += bytes;
    }
    // Not again what an earlier start said and what has not changed since.
    void record(RegionRegistry& registry) const {
        for (const auto& [reason, what] : by_reason_)
            if (!said(registry.ring(), reason, what))
                registry.record({.kind = EventKind::leftover_kept,
                                 .count = what.count,
                                 .value = what.bytes,
                                 .text = reason,
                                 .id = what.count == 1 ? what.first : RegionId{}});
    }

  private:
    struct Sum {
        std::uint32_t count = 0;
        std::uint64_t bytes = 0;
        RegionId first;
    };
    static bool said(EventRing& ring, std::string_view reason, const Sum& sum) {
        for (auto seq = ring.head(); seq > 0; --seq) {
            const auto* entry = ring.entry(seq);
            if (!entry) return false;
            if (entry->kind == static_cast<std::uint16_t>(EventKind::leftover_kept) &&
                entry->text == reason)
                return entry->count == sum.count && entry->value == sum.bytes;
        }
        return false;
    }
    std::map<std::string_view, Sum> by_reason_;
};

// Why a segment stays that is in no slot; empty: nothing is against removing it.
std::string_view objection(Ownership& owners, std::uint32_t tag) {
    switch (owners.owner(tag)) {
        case Owner::us:
        case Owner::nobody:
            return {};
        case Owner::running:
            return "another manager of this name owns it, and runs";
        case Owner::may_return:
            break;
    }
    return owners.marked(tag)
               ? "another manager of this name may own it, and be started again"
               : "no mark says whose it is: 'snakepit-shm host clean NAME' removes it";
}

}  // namespace

// Segments with our instance's name that no slot knows. Those of regions that live elsewhere now
// are what a move left. Others are of a registry that was lost, or of another manager of that name:
// they go when their owner is proved to be gone for good and the kernel says that nobody has them.
void Service::remove_stale_segments(const SegmentsByName& segments) {
    const auto prefix = fmt::format("/snakepit_{}_", registry_->instance());
    const auto slots = registry_->used();
    const bool unnamed = std::any_of(slots.begin(), slots.end(),
                                     [&](std::uint32_t slot) { return !registry_->named(slot); });
    auto owners = Ownership::read(config_.shm_path, registry_->instance(), ::geteuid(),
                                  registry_->epoch(), own_mark);
    Kept kept;
    std::unordered_set<std::uint32_t> tags_left;
    bool unmarked = false;
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
        const Event removed{.kind = EventKind::leftover_removed,
                            .value = segment.allocated,
                            .text = full_name,
                            .id = id ? *id : RegionId{}};
        if (anonymous && !unnamed) {  // ours alone to keep, and whoever else holds it keeps it
            if (backend_.forget_segment(segment.name)) registry_->record(removed);
            continue;
        }
        const auto tag = tag_of(id ? id->random : *arena);
        // Nobody but we have anything in our state directory.
        std::string_view keep = durable ? std::string_view() : objection(owners, tag);
        if (unnamed) keep = "it may belong to a slot whose description is damaged";
        if (keep.empty()) {
            const auto done = backend_.remove_unused_segment(segment.name, segment.identity);
            if (done) {
                registry_->record(removed);
                continue;
            }
            keep = done.error().code == ErrorCode::region_in_use
                       ? "it is open or mapped somewhere"
                       : "it cannot be removed, or the kernel does not say who uses it";
        }
        kept.add(keep, segment.allocated, id ? *id : RegionId{});
        if (durable || anonymous) continue;
        tags_left.insert(tag);
        unmarked = unmarked || (owners.owner(tag) != Owner::us && !owners.marked(tag));
    }
    kept.record(*registry_);
    owners.remove_dead(tags_left, unmarked);
}

bool Service::owns_nothing() {
    const auto prefix = fmt::format("/snakepit_{}_", registry_->instance());
    const auto segments = backend_.list_segments(prefix);
    if (!segments || !registry_->used().empty()) return false;
    const auto ours = tag_of(tagged(registry_->epoch(), 0));
    return std::none_of(segments->begin(), segments->end(), [&](const SegmentInfo& segment) {
        const auto number = number_of(std::string_view(segment.name).substr(prefix.size()));
        return number && tag_of(*number) == ours;
    });
}

}  // namespace snakepit::shm
