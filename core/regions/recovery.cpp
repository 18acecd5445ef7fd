// SPDX-License-Identifier: MIT
#include "regions/recovery.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include <fmt/format.h>

#include "layout/ownership.h"

namespace snakepit::shm {

using namespace layout;

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

Status Recovery::run() {
    if (!registry_.note().empty())
        registry_.record({.kind = EventKind::registry_reset, .text = registry_.note()});
    policies_.open();
    allocator_.recount();
    stash_.recover();
    recover_clients();
    stash_.look_at_all();  // what they allocated meanwhile
    locks_.recover();
    registry_.follow_wall_clock();
    std::uint32_t adopted = 0;
    const auto at = registry_.time();
    const auto segments = list_segments();
    // Before anything is evaluated: what was used while no manager ran is not expired.
    std::vector<std::uint64_t> takes(registry_.frontier());
    counter_.sweep([&](std::uint32_t slot, std::uint64_t n) {
        if (slot < takes.size()) takes[slot] = n;
    });
    for (const auto slot : registry_.used()) {
        recover_slot(slot, segments, takes[slot], at);
        if (!registry_.control(slot).occupied()) continue;
        ++adopted;
        clients_.add_region(slot);
        if (!clients_.owner_alive(slot)) lifecycle_.owner_ended(slot, at);
    }
    if (problem_) return fail(*problem_);
    allocator_.pool.adopted();
    stash_.adopted();
    adopt_durable();
    policies_.recover();
    allocator_.recount();
    state_.signals.adopt();
    if (segments) remove_stale_segments(*segments);
    // Just counted: held regions need it only if they are withdrawn or their policy is not in
    // effect.
    for (const auto slot : registry_.used())
        if (registry_.stats(slot).references == 0 || registry_.control(slot).withdrawn ||
            (registry_.body(slot).flags & kPolicyPending) != 0)
            lifecycle_.evaluate(slot, at);
    integrity_.set_health({at, adopted, {}});  // each was checked
    registry_.record({.kind = EventKind::manager_started,
                      .pid = ::getpid(),
                      .uid = ::geteuid(),
                      .count = static_cast<std::uint32_t>(clients_.count()),
                      .value = adopted});
    return {};
}

// Those of this instance, asked for all at once: one call each would cost as much as everything
// else in a recovery. Nothing when they cannot be listed.
std::optional<SegmentsByName> Recovery::list_segments() const {
    const auto prefix = fmt::format("/snakepit_{}_", registry_.instance());
    auto listed = backend_.list_segments(prefix);
    auto anonymous = backend_.list_segments(anonymous_name(prefix));
    auto durable = backend_.list_segments(kDurablePrefix);
    if (!listed || !anonymous || !durable) return std::nullopt;
    SegmentsByName out(listed->size() + anonymous->size() + durable->size());
    for (auto* list : {&*listed, &*anonymous, &*durable})
        for (auto& segment : *list) out.emplace(segment.name, std::move(segment));
    return out;
}

// A record and a row with the same serial are a client. A record alone is a client whose connection
// was never committed, and so never answered, or whose end was: it needs no event.
void Recovery::recover_clients() {
    for (std::uint32_t i = 0; i < kMaxClients; ++i) {
        const auto serial = clients_.serial(i);
        const auto known = registry_.client_serial(i);
        if (serial == 0) {
            if (known != 0)
                registry_.commit_client(i, ClientRow{}, {.kind = EventKind::client_gone});
        } else if (serial != known) {
            (void)counter_.holdings(i);               // opens its page: delegated locks are there
            locks_.drop(clients_.record(i), serial);  // its row is gone already
            counter_.drop_client(i);
        } else if (const auto gone = counter_.gone(i); gone && *gone) {
            reaper_.drop(i);
        } else {  // what cannot be checked counts as alive
            clients_.adopt(i);
        }
    }
    counter_.remove_stray_pages();
}

// `segments`: all of ours there are; nothing when they could not be listed. `takes`: uncounted
// ones.
void Recovery::recover_slot(std::uint32_t slot, const std::optional<SegmentsByName>& segments,
                            std::uint64_t takes, std::int64_t at) {
    auto word = registry_.control(slot);
    if (word.state == SlotState::reserved) {
        counter_.revoke_untold(slot, word.generation);
        if (!word.withdrawn && !allocator_.was_taking(slot)) return allocator_.abandon(slot);
        return allocation_.refuse_repetition(slot);
    }
    if (word.state == SlotState::stashed) {
        if (allocator_.adopt(slot, segments ? &*segments : nullptr)) return;
        stash_.withdraw(slot);  // its memory is not what it was
        if (registry_.control(slot).state == SlotState::reserved) return allocator_.abandon(slot);
        word = registry_.control(slot);
    }
    if (!registry_.intact(slot))
        return integrity_.damage(slot, "the registry's description of it fails its checksum");
    const auto adopted = allocator_.adopt(slot, segments ? &*segments : nullptr);
    if (word.state == SlotState::freeing) {
        (void)lifecycle_.free(slot, "completed after a restart", {});
        return;
    }
    if (word.state == SlotState::retiring) {
        auto back = word;
        back.state = word.from_quarantine ? SlotState::quarantined : SlotState::live;
        back.from_quarantine = false;
        registry_.store(slot, back);  // evaluated again like every other
    }
    if (!adopted && adopted.error().code == ErrorCode::corruption_detected)
        integrity_.damage(slot, adopted.error().message);
    else if (!adopted)
        problem_ = adopted.error();  // of ours: the region is as good as it was
    integrity_.keep_description(slot);
    lifecycle_.refresh(slot, takes, at);
}

// Durable regions of a registry that was lost: as they were, owned by their user. Of two with the
// same name, one was about to be freed when the other was allocated: the newer keeps it.
void Recovery::adopt_durable() {
    std::vector<std::string> damaged;
    auto records = allocator_.durable.all(damaged);
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return a.fixed.created_at > b.fixed.created_at; });
    for (const auto& record : records) {
        const RegionId id{record.fixed.id_micros, record.fixed.id_random};
        if (registry_.find(id)) continue;
        auto fixed = record.fixed;
        fixed.owner_serial = fixed.request_id = 0;
        auto body = record.body;
        body.flags &= ~kSealPending;
        const auto segment = backend_.inspect_segment(segment_name(registry_.instance(), id, body));
        auto name = fixed.name_bytes > 0 ? name_of(fixed, record.name) : std::string_view();
        if (!name.empty() && registry_.find_name(fixed.owner_uid, name)) name = {};
        const auto slot = registry_.reserve(
            fixed, std::string_view(record.metadata.text, body.metadata_bytes), name);
        if (!segment || !slot) {
            damaged.push_back(id.str());
            continue;
        }
        body.device = segment->identity.device;
        body.inode = segment->identity.inode;
        registry_.write_body(*slot, body);
        auto word = registry_.control(*slot);
        word.state = SlotState::live;
        registry_.commit(*slot, word,
                         {.kind = EventKind::durable_restored,
                          .uid = fixed.owner_uid,
                          .value = fixed.size,
                          .text = fixed.owner_process});
        (void)allocator_.durable.save(registry_.fixed(*slot), registry_.body(*slot),
                                      registry_.metadata(*slot), registry_.name(*slot));
        if (auto adopted = allocator_.adopt(*slot, nullptr); !adopted)
            integrity_.damage(*slot, adopted.error().message);
    }
    for (const auto& name : damaged)
        registry_.record({.kind = EventKind::leftover_kept,
                          .result = ErrorCode::corruption_detected,
                          .text = fmt::format("durable/{}: it cannot be restored", name)});
}

// Segments with our instance's name that no slot knows. Those of regions that live elsewhere now
// are what a move left. Others are of a registry that was lost, or of another manager of that name:
// they are removed when their owner has certainly ended for good and the kernel reports no user.
void Recovery::remove_stale_segments(const SegmentsByName& segments) {
    const auto prefix = fmt::format("/snakepit_{}_", registry_.instance());
    const auto slots = registry_.used();
    const bool unnamed = std::any_of(slots.begin(), slots.end(),
                                     [&](std::uint32_t slot) { return !registry_.named(slot); });
    auto owners = Ownership::read(state_.config.shm_path, registry_.instance(), ::geteuid(),
                                  registry_.epoch(), state_.own_mark);
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
        const auto slot = id ? registry_.find(*id) : std::nullopt;
        if (slot && (allocator_.segment_name_of(*slot) == segment.name || !registry_.intact(*slot)))
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
            if (backend_.forget_segment(segment.name)) registry_.record(removed);
            continue;
        }
        const auto tag = tag_of(id ? id->random : *arena);
        // Nobody but we have anything in our state directory.
        std::string_view keep = durable ? std::string_view() : objection(owners, tag);
        if (unnamed) keep = "it may belong to a slot whose description is damaged";
        if (keep.empty()) {
            const auto done = backend_.remove_unused_segment(segment.name, segment.identity);
            if (done) {
                registry_.record(removed);
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
    kept.record(registry_);
    owners.remove_dead(tags_left, unmarked);
}

}  // namespace snakepit::shm
