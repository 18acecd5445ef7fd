// SPDX-License-Identifier: MIT
// Creating a ring, and taking a role in it. Everything that several programs might do at once here
// is done with the region's lock; what a program that is killed in the middle leaves is as if it
// had not begun.
#include "client/frame_ring.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/global_barrier.h"

namespace snakepit::shm {

using layout::RingGeneration;
using layout::RingGeometry;
using layout::RingMemory;
using layout::RingPolicy;
using layout::RingReader;
using layout::RingWriter;

namespace {

constexpr int kRoleRetryMs = 100;  // between two attempts to take a role
// The ring's lock is held for moments only: this is for a manager that is slow to answer.
constexpr std::uint32_t kLockMs = 10'000;

std::int64_t end_of(std::uint32_t timeout_ms) {
    return timeout_ms == kLockForever
               ? INT64_MAX
               : monotonic_nanos() + std::int64_t{timeout_ms} * kNanosPerMilli;
}

std::uint32_t left_until(std::int64_t until) {
    if (until == INT64_MAX) return kLockForever;
    const auto left = (until - monotonic_nanos() + kNanosPerMilli - 1) / kNanosPerMilli;
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, kLockForever - 1));
}

// For a question that the manager answers at once: a caller that does not wait for others still has
// to wait for that.
std::int64_t answer_until(std::int64_t until) {
    return std::max(until, end_of(kLockMs));
}

Status check(const RingOptions& options) {
    if (!options.geometry.valid())
        return fail(ErrorCode::invalid_argument, "a ring cannot have such a geometry",
                    fmt::format("use slots of 1 byte to 2 GiB, 2 to {} slots, 1 to {} consumers",
                                RingGeometry::kMaxSlots, RingGeometry::kMaxConsumers));
    const auto level = options.region.security_level;
    if (level && *level != SecurityLevel::standard)
        return fail(ErrorCode::not_supported, "a ring cannot be encrypted",
                    "use the security level standard");
    return {};
}

RegionOptions region_options(const RingOptions& options, const std::string& name) {
    auto region = options.region;
    region.security_level = SecurityLevel::standard;
    region.name = name;
    if (region.metadata.empty()) {
        const auto& ring = options.geometry;
        region.metadata =
            fmt::format(R"({{"ring":{{"slots":{},"slot_size":{},"consumers":{},"policy":"{}"}}}})",
                        ring.slots, ring.slot_size, ring.consumers,
                        ring.policy == RingPolicy::overwrite ? "overwrite" : "back_pressure");
    }
    return region;
}

// Who may use the ring may ask whether this part of it lives.
PermissionSet readable(PermissionSet ring) {
    for (auto* permission : {&ring.group, &ring.other})
        if (*permission != Permission::none) *permission = Permission::read_only;
    ring.owner = Permission::read_write;
    return ring;
}

// Unmaps unless it was handed on.
struct Mapped {
    ManagerClient& client;
    MappedRegion mapping;
    bool kept = false;
    ~Mapped() {
        if (!kept) (void)client.unmap(mapping);
    }
};

}  // namespace

Result<std::unique_ptr<FrameRing>> FrameRing::create(ManagerClient& client, const std::string& name,
                                                     const RingOptions& options, RingRole role,
                                                     std::uint32_t timeout_ms) {
    const auto until = end_of(timeout_ms);
    SHM_TRY(snakepit::shm::check(options));
    const auto region = region_options(options, name);
    const auto size = options.geometry.end();
    if (!name.empty()) {
        SHM_ASSIGN(const auto opened, client.open(name, size, region, AccessMode::read_write));
        Mapped mapped{client, opened.mapping};
        SHM_ASSIGN(const auto id, client.region_of(opened.mapping));
        auto ring = join(client, id, opened.mapping, &options, role, until);
        mapped.kept = ring.has_value();
        return ring;
    }
    SHM_ASSIGN(const auto id, client.allocate(size, region));
    auto mapping = client.map(id, AccessMode::read_write);
    auto ring = mapping ? join(client, id, *mapping, &options, role, until)
                        : Result<std::unique_ptr<FrameRing>>(fail(mapping.error()));
    if (ring) return ring;
    if (mapping) (void)client.unmap(*mapping);
    (void)client.deallocate(id);  // nobody knows of it
    return ring;
}

Result<std::unique_ptr<FrameRing>> FrameRing::open(ManagerClient& client, const RegionId& id,
                                                   RingRole role, std::uint32_t timeout_ms) {
    const auto until = end_of(timeout_ms);
    SHM_ASSIGN(const auto mapping, client.map(id, AccessMode::read_write));
    Mapped mapped{client, mapping};
    auto ring = join(client, id, mapping, nullptr, role, until);
    mapped.kept = ring.has_value();
    return ring;
}

Result<std::unique_ptr<FrameRing>> FrameRing::join(ManagerClient& client, const RegionId& id,
                                                   const MappedRegion& mapping,
                                                   const RingOptions* options, RingRole role,
                                                   std::int64_t until) {
    if (!mapping.plain() && mapping.level != SecurityLevel::standard)
        return fail(ErrorCode::not_supported, "a ring cannot be encrypted",
                    "create it with the security level standard");
    std::unique_ptr<FrameRing> ring(new FrameRing(id, mapping, role));
    SHM_TRY(ring->attach(client, options, until));
    SHM_TRY(ring->become_member(client));
    const auto joined = [&]() -> Status {
        for (;;) {
            SHM_ASSIGN(const bool taken, ring->take_role(client, until));
            if (taken) return {};
            const auto left = left_until(until);
            if (left == 0)
                return role == RingRole::producer
                           ? fail(ErrorCode::timeout, "another producer has the ring",
                                  "wait longer, or stop the other one")
                           : fail(ErrorCode::reference_limit,
                                  "all places for consumers of the ring are taken",
                                  "create the ring with more of them");
            SHM_ASSIGN(const auto counter, client.wait(id, ~std::uint64_t{0}, 0));
            SHM_TRY(
                client.wait(id, counter.value_or(0), std::min<std::uint32_t>(left, kRoleRetryMs)));
        }
    }();
    if (joined) return ring;
    (void)client.deallocate(ring->member_);
    return fail(joined.error());
}

// A ring that nobody has initialised yet is initialised by whoever has the lock first and knows
// how.
Status FrameRing::attach(ManagerClient& client, const RingOptions* options, std::int64_t until) {
    const std::span memory{mapping_.data, static_cast<std::size_t>(mapping_.size)};
    if (!RingMemory::initialised(memory)) {
        SHM_ASSIGN(const auto lock,
                   client.lock(id_, AccessMode::read_write, std::max(left_until(until), kLockMs)));
        if (!RingMemory::initialised(memory) && options)
            RingMemory::initialise(memory, options->geometry);
        (void)client.unlock(id_, lock.token);
    }
    SHM_ASSIGN(memory_, RingMemory::over(memory));
    if (options && memory_.geometry() != options->geometry)
        return fail(ErrorCode::name_in_use, "the ring exists with another geometry",
                    "open it as it is, or use another name");
    // Asks for the signal now: waiting needs no manager from then on. The counter is never that
    // high, so this waits for the manager's answer alone.
    SHM_TRY(client.wait(id_, ~std::uint64_t{0}, kLockMs));
    // Each store that the other side must see before it sleeps is ordered by that side, or by all.
    if (!join_global_barrier() || !global_barrier()) header().fences.store(1);
    return {};
}

Status FrameRing::become_member(ManagerClient& client) {
    SHM_ASSIGN(const auto ring, client.info(id_));
    RegionOptions options;
    options.permissions = readable(ring.permissions);
    options.exact_permissions = true;
    options.security_level = SecurityLevel::standard;
    options.owner_end = OwnerEnd::withdraw;
    options.timeout_ms = 0;
    options.metadata = fmt::format(R"({{"ring_member":{{"ring":"{}","role":"{}"}}}})", id_.str(),
                                   role_ == RingRole::producer ? "producer" : "consumer");
    SHM_ASSIGN(member_, client.allocate(1, options));
    return {};
}

Result<bool> FrameRing::take_role(ManagerClient& client, std::int64_t until) {
    SHM_ASSIGN(const auto lock,
               client.lock(id_, AccessMode::read_write, std::max(left_until(until), kLockMs)));
    auto taken = role_ == RingRole::producer ? produce(client, until) : consume(client, until);
    (void)client.unlock(id_, lock.token);
    return taken;
}

// With the lock. Storing the generation is the commit.
Result<bool> FrameRing::produce(ManagerClient& client, std::int64_t until) {
    auto& ring = header();
    const auto word = ring.generation.load(std::memory_order_acquire);
    const auto last = RingGeneration::decode(word);
    const bool died = last.number != 0 && ring.closed.load(std::memory_order_relaxed) != word;
    if (died) {
        SHM_ASSIGN(const bool lives,
                   client.exists(ring.member[last.number % 2].id(), answer_until(until)));
        if (lives) return false;
    }
    const RingGeneration mine{last.number + 1, died};
    ring.member[mine.number % 2].set(member_);
    generation_ = mine.encode();
    // Release: whoever sees the generation sees its member.
    ring.generation.store(generation_, std::memory_order_release);
    writer_ = RingWriter(memory_, generation_);
    return true;
}

// With the lock.
Result<bool> FrameRing::consume(ManagerClient& client, std::int64_t until) {
    if (!reader_.join(memory_, member_)) {
        for (auto& place : memory_.consumers()) {
            auto token = place.token.load(std::memory_order_acquire);
            SHM_ASSIGN(const bool lives, client.exists(place.member.id(), answer_until(until)));
            if (!lives) place.token.compare_exchange_strong(token, 0, std::memory_order_release);
        }
        if (!reader_.join(memory_, member_)) return false;
    }
    // The producer may have waited for the place that it had for a moment.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (header().producer_waits.load(std::memory_order_relaxed) != 0)
        wake(client, header().producer_waits);
    generation_ = header().generation.load(std::memory_order_acquire);
    // What ended before is not this consumer's concern.
    const bool ended = header().closed.load(std::memory_order_acquire) == generation_;
    const auto number = RingGeneration::decode(generation_).number;
    told_ = ended || number == 0 ? number : number - 1;
    return true;
}

void FrameRing::leave(ManagerClient& client) {
    if (guard_->here() == home_) {
        if (role_ == RingRole::consumer) {
            reader_.leave();
            wake(client, header().producer_waits);
        } else if (writer_.current()) {
            // Release: whoever sees the end sees every frame.
            header().closed.store(generation_, std::memory_order_release);
            wake(client, header().readers_wait);
        }
        (void)client.deallocate(member_);
    }
    (void)client.unmap(mapping_);
}

RingInfo FrameRing::info() const {
    RingInfo info;
    info.id = id_;
    info.geometry = memory_.geometry();
    info.head = header().head.load(std::memory_order_acquire);
    info.position = role_ == RingRole::producer ? writer_.position() : reader_.position();
    for (const auto& place : memory_.consumers()) {
        if (place.token.load(std::memory_order_acquire) == 0) continue;
        ++info.consumers;
        const auto behind = info.head - place.cursor.load(std::memory_order_relaxed);
        // A consumer may be a frame ahead of the head for a moment.
        if (static_cast<std::int64_t>(behind) > 0) info.furthest = std::max(info.furthest, behind);
    }
    const auto word = header().generation.load(std::memory_order_acquire);
    info.generation = RingGeneration::decode(word).number;
    info.closed = info.generation != 0 && header().closed.load(std::memory_order_relaxed) == word;
    return info;
}

}  // namespace snakepit::shm
