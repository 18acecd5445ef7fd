// SPDX-License-Identifier: MIT
#include "layout/frame_ring.h"

namespace snakepit::shm::layout {

void RingMemory::initialise(std::span<std::byte> memory, const RingGeometry& geometry) {
    auto& header = *reinterpret_cast<RingHeader*>(memory.data());
    header.slot_size.store(geometry.slot_size, std::memory_order_relaxed);
    header.slots.store(geometry.slots, std::memory_order_relaxed);
    header.consumers.store(geometry.consumers, std::memory_order_relaxed);
    header.policy.store(static_cast<std::uint32_t>(geometry.policy), std::memory_order_relaxed);
    header.magic.store(RingHeader::kMagic, std::memory_order_release);
}

bool RingMemory::initialised(std::span<const std::byte> memory) {
    return memory.size() >= sizeof(RingHeader) &&
           reinterpret_cast<const RingHeader*>(memory.data())
                   ->magic.load(std::memory_order_acquire) == RingHeader::kMagic;
}

Result<RingMemory> RingMemory::over(std::span<std::byte> memory) {
    if (!initialised(memory))
        return fail(ErrorCode::corruption_detected, "the region is not a ring of frames",
                    "open a region that snakepit_shm_ring_create() made");
    const auto& header = *reinterpret_cast<const RingHeader*>(memory.data());
    RingMemory ring;
    auto& geometry = ring.geometry_;
    geometry.slot_size = header.slot_size.load(std::memory_order_relaxed);
    geometry.slots = header.slots.load(std::memory_order_relaxed);
    geometry.consumers = header.consumers.load(std::memory_order_relaxed);
    geometry.policy = static_cast<RingPolicy>(header.policy.load(std::memory_order_relaxed));
    if (!geometry.valid() || geometry.end() > memory.size())
        return fail(ErrorCode::corruption_detected, "the ring's header is damaged",
                    "deallocate the region and create the ring again");
    ring.memory_ = memory.data();
    ring.cells_ = reinterpret_cast<RingCell*>(memory.data() + geometry.cells());
    ring.frames_ = memory.data() + geometry.frames();
    return ring;
}

RingWriter::RingWriter(const RingMemory& ring, std::uint32_t generation)
    : ring_(ring), generation_(generation) {
    auto& head = ring_.header().head;
    position_ = head.load(std::memory_order_acquire);
    if (ring_.cell(ring_.slot_of(position_)).sequence.load(std::memory_order_acquire) ==
        complete(position_))
        head.store(++position_, std::memory_order_release);
    slot_ = ring_.slot_of(position_);
    limit_ = position_;
}

bool RingWriter::look() {
    const auto slots = ring_.geometry().slots;
    auto furthest = std::uint64_t{0};
    if (ring_.geometry().policy == RingPolicy::back_pressure) {
        // With join(): either this sees the new consumer's token, or the consumer then sees a head
        // at or after `position_`, and so needs no frame that `limit_` lets go.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        for (const auto& consumer : ring_.consumers()) {
            if (consumer.token.load(std::memory_order_acquire) == 0) continue;
            // Acquire: the consumer has read before this side writes again. One that is further
            // behind than it can be is about to join: its place is not known yet.
            const auto behind = position_ - consumer.cursor.load(std::memory_order_acquire);
            furthest = std::max(furthest, std::min<std::uint64_t>(behind, slots));
        }
    }
    limit_ = position_ - furthest + slots;
    return limit_ != position_;
}

bool RingReader::join(const RingMemory& ring, const RegionId& member) {
    auto& header = ring.header();
    for (auto& place : ring.consumers()) {
        if (place.token.load(std::memory_order_acquire) != 0) continue;
        place.member.set(member);
        place.cursor.store(header.head.load(std::memory_order_acquire), std::memory_order_relaxed);
        const std::uint64_t joins = header.joins.fetch_add(1, std::memory_order_relaxed) + 1U;
        const auto token = joins | std::uint64_t{1} << 32;  // never 0
        std::uint64_t free = 0;
        // Release: whoever sees the token sees who it is.
        if (!place.token.compare_exchange_strong(free, token, std::memory_order_release)) continue;
        ring_ = ring;
        place_ = &place;
        token_ = token;
        // See RingWriter::look(): the producer may have let go of what it wrote until now.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        position_ = header.head.load(std::memory_order_acquire);
        place.cursor.store(position_, std::memory_order_release);
        slot_ = ring_.slot_of(position_);
        return true;
    }
    return false;
}

void RingReader::leave() {
    if (!place_) return;
    auto token = token_;
    place_->token.compare_exchange_strong(token, 0, std::memory_order_release);
    place_ = nullptr;
}

RingReader::Look RingReader::look_closely() {
    constexpr int kAttempts = 4;  // a producer may overtake each of them
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const auto& cell = ring_.cell(slot_);
        const auto sequence = cell.sequence.load(std::memory_order_acquire);
        if (sequence == complete(position_)) {
            note(cell);
            if (size_ <= ring_.geometry().slot_size) return Look::frame;
            if (intact()) return Look::damaged;
        } else if (static_cast<std::int64_t>(sequence - complete(position_)) < 0) {
            return Look::nothing;
        }
        skip();
    }
    return Look::nothing;
}

// The frame was overwritten. A quarter of the slots is left to the producer, so that what is read
// next is not overwritten at once.
void RingReader::skip() {
    const auto slots = ring_.geometry().slots;
    const auto head = ring_.header().head.load(std::memory_order_acquire);
    const auto kept = std::max<std::uint64_t>(1, slots - (slots + 3) / 4);
    // One frame if the head is nonsense.
    const bool further = static_cast<std::int64_t>(head - kept - position_) > 0;
    const auto to = further ? head - kept : position_ + 1;
    lost_ += to - position_;
    position_ = to;
    slot_ = ring_.slot_of(position_);
    place_->cursor.store(position_, std::memory_order_release);
}

}  // namespace snakepit::shm::layout
