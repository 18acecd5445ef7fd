// SPDX-License-Identifier: MIT
// A ring of frames in the memory of one region: one producer, many consumers, a fixed number of
// slots. tests/model/frames.pml is the checked model of what is here.
//
// Frames are numbered from 0; frame P lies in slot P modulo the number of slots. The cell of a slot
// says which frame is in it: 2P + 1 while frame P is written, 2P + 2 when it is complete. So a
// consumer that waits for frame P compares one word, and a consumer that has read a frame compares
// it again: a frame that was overwritten meanwhile, or half written by a producer that died, is
// never taken for a good one.
//
// Whoever may map the region may write nonsense into it. Geometry is read once, checked and copied;
// sizes are checked each time they are read; no position is used as an index without a modulo.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/ids.h"
#include "base/result.h"

namespace snakepit::shm::layout {

enum class RingPolicy : std::uint32_t {
    overwrite = 0,      // the producer never waits; a slow consumer loses frames
    back_pressure = 1,  // the producer waits for the slowest living consumer
};

struct RingGeometry {
    static constexpr std::uint32_t kMaxSlots = 1U << 20, kMaxConsumers = 64;
    static constexpr std::uint64_t kMaxSlotSize = std::uint64_t{1} << 31;
    static constexpr std::uint64_t kAlign = 64, kPage = 4096;

    std::uint64_t slot_size = 0;  // bytes of the largest frame
    std::uint32_t slots = 0;
    std::uint32_t consumers = 0;  // places for consumers
    RingPolicy policy = RingPolicy::overwrite;

    friend bool operator==(const RingGeometry&, const RingGeometry&) = default;

    bool valid() const {
        return slot_size >= 1 && slot_size <= kMaxSlotSize && slots >= 2 && slots <= kMaxSlots &&
               consumers >= 1 && consumers <= kMaxConsumers &&
               (policy == RingPolicy::overwrite || policy == RingPolicy::back_pressure);
    }
    static constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
        return (value + to - 1) / to * to;
    }
    // Offsets in bytes. With the limits above nothing here overflows.
    std::uint64_t stride() const { return round_up(slot_size, kAlign); }
    std::uint64_t cells() const;
    std::uint64_t frames() const;
    std::uint64_t end() const { return frames() + stride() * slots; }
};

// The producers of a ring, counted from 1, each with how the one before it ended: number : 31 |
// the last one died : 1.
struct RingGeneration {
    std::uint32_t number = 0;  // 0: there was none yet
    bool after_death = false;

    static constexpr RingGeneration decode(std::uint32_t word) {
        return {word >> 1, (word & 1) != 0};
    }
    constexpr std::uint32_t encode() const { return number << 1 | (after_death ? 1 : 0); }
};

struct RingHeader {
    static constexpr std::uint64_t kMagic = 0x31474E4952504E53;  // "SNPRING1"

    // Written once, before `magic`.
    alignas(64) std::atomic<std::uint64_t> magic;
    std::atomic<std::uint64_t> slot_size;
    std::atomic<std::uint32_t> slots, consumers, policy;
    // Some process of this ring cannot order the stores of others (platform/global_barrier.h): all
    // execute a fence of their own. Never taken back.
    std::atomic<std::uint32_t> fences;

    // The producers, changed rarely: RingGeneration. Storing it is the one step by which a producer
    // takes over. `member` of generation N is at N modulo 2, stored before.
    alignas(64) std::atomic<std::uint32_t> generation;
    std::atomic<std::uint32_t> closed;  // the last generation that ended by closing the ring
    std::atomic<std::uint32_t> joins;
    struct Member {
        std::atomic<std::uint64_t> micros, random;

        RegionId id() const {
            return {micros.load(std::memory_order_relaxed), random.load(std::memory_order_relaxed)};
        }
        void set(const RegionId& id) {
            micros.store(id.micros, std::memory_order_relaxed);
            random.store(id.random, std::memory_order_relaxed);
        }
    } member[2];

    alignas(64) std::atomic<std::uint64_t> head;            // the next frame's number
    alignas(64) std::atomic<std::uint32_t> readers_wait;    // a consumer is about to sleep
    alignas(64) std::atomic<std::uint32_t> producer_waits;  // the producer is
};
static_assert(sizeof(RingHeader) == 5 * 64);

// The place of one consumer. `token` is not 0 while it is taken.
struct alignas(64) RingConsumer {
    std::atomic<std::uint64_t> token;
    std::atomic<std::uint64_t> cursor;  // the number of the frame it reads next
    RingHeader::Member member;
};
static_assert(sizeof(RingConsumer) == 64);

struct RingCell {
    std::atomic<std::uint64_t> sequence;
    std::atomic<std::uint64_t> frame;  // generation of its producer : 32 | size in bytes : 32

    static constexpr std::uint64_t describe(std::uint32_t size, std::uint32_t generation) {
        return std::uint64_t{generation} << 32 | size;
    }
};
static_assert(sizeof(RingCell) == 16);

inline std::uint64_t RingGeometry::cells() const {
    return sizeof(RingHeader) + sizeof(RingConsumer) * consumers;
}
inline std::uint64_t RingGeometry::frames() const {
    return round_up(cells() + sizeof(RingCell) * slots, kPage);
}

// A ring's memory, with a geometry that was checked against its size.
class RingMemory {
  public:
    RingMemory() = default;
    // The memory is zero at first. `magic` is stored last: who sees it sees the geometry.
    static void initialise(std::span<std::byte> memory, const RingGeometry& geometry);
    static bool initialised(std::span<const std::byte> memory);
    // corruption_detected: it is not a ring, or does not fit.
    static Result<RingMemory> over(std::span<std::byte> memory);

    const RingGeometry& geometry() const { return geometry_; }
    RingHeader& header() const { return *reinterpret_cast<RingHeader*>(memory_); }
    std::span<RingConsumer> consumers() const {
        return {reinterpret_cast<RingConsumer*>(memory_ + sizeof(RingHeader)), geometry_.consumers};
    }
    RingCell& cell(std::uint32_t slot) const { return cells_[slot]; }
    std::byte* frame(std::uint32_t slot) const { return frames_ + geometry_.stride() * slot; }
    std::uint32_t slot_of(std::uint64_t position) const {
        return static_cast<std::uint32_t>(position % geometry_.slots);
    }
    std::uint32_t next(std::uint32_t slot) const {
        return slot + 1 == geometry_.slots ? 0 : slot + 1;
    }

  private:
    RingGeometry geometry_;
    std::byte* memory_ = nullptr;
    RingCell* cells_ = nullptr;
    std::byte* frames_ = nullptr;
};

constexpr std::uint64_t being_written(std::uint64_t position) {
    return 2 * position + 1;
}
constexpr std::uint64_t complete(std::uint64_t position) {
    return 2 * position + 2;
}

// The producer's half. One thread.
class RingWriter {
  public:
    RingWriter() = default;
    // With the ring's lock, after the generation was stored. The last producer may have died
    // between completing a frame and counting it: the frame may have been read, so its number is
    // used up.
    RingWriter(const RingMemory& ring, std::uint32_t generation);

    std::uint64_t position() const { return position_; }
    // Whether this producer still has the role.
    bool current() const {
        return ring_.header().generation.load(std::memory_order_relaxed) == generation_;
    }
    // Whether begin() has a slot. With back-pressure: once `limit_` is reached, looks where the
    // consumers are.
    bool room() { return has_room() || look(); }
    bool has_room() const { return position_ != limit_; }
    // The slot of the next frame. Only with room.
    std::byte* begin() {
        ring_.cell(slot_).sequence.store(being_written(position_), std::memory_order_relaxed);
        // Whoever sees a byte of the new frame sees the mark as well when it compares again.
        std::atomic_thread_fence(std::memory_order_release);
        return ring_.frame(slot_);
    }
    // Completes the frame. Whether a consumer may have to be woken.
    bool publish(std::uint32_t size) {
        auto& header = ring_.header();
        auto& cell = ring_.cell(slot_);
        cell.frame.store(RingCell::describe(size, generation_), std::memory_order_relaxed);
        // Release: whoever sees the number sees the frame.
        cell.sequence.store(complete(position_), std::memory_order_release);
        header.head.store(++position_, std::memory_order_release);
        slot_ = ring_.next(slot_);
        order_before_look(header);
        return header.readers_wait.load(std::memory_order_relaxed) != 0;
    }
    // The consumers that are furthest behind; there is no room because of them.
    template <typename Use>
    void each_slowest(Use use) const {
        for (auto& consumer : ring_.consumers())
            if (const auto token = consumer.token.load(std::memory_order_acquire); token != 0)
                if (position_ - consumer.cursor.load(std::memory_order_acquire) >=
                    ring_.geometry().slots)
                    use(consumer, token);
    }

    // The order of a store and a later load of another word, of which a sleeper does the opposite:
    // it stores its mark, orders for all processes, and looks once more. So this side needs to keep
    // the compiler in order only, unless a process of the ring cannot do that.
    static void order_before_look(const RingHeader& header) {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (header.fences.load(std::memory_order_relaxed) != 0) [[unlikely]]
            std::atomic_thread_fence(std::memory_order_seq_cst);
    }

  private:
    bool look();

    RingMemory ring_;
    std::uint64_t position_ = 0;  // of the next frame
    std::uint64_t limit_ = 0;     // frames up to this one overwrite nothing that a consumer needs
    std::uint32_t slot_ = 0;
    std::uint32_t generation_ = 0;
};

// A consumer's half. One thread.
class RingReader {
  public:
    enum class Look : std::uint8_t { nothing, frame, damaged };

    RingReader() = default;
    // With the ring's lock. Takes a free place; false: there is none.
    bool join(const RingMemory& ring, const RegionId& member);
    // Gives the place back.
    void leave();
    // Whether this consumer still has its place: a producer takes it from a consumer that seems
    // dead.
    bool present() const { return place_->token.load(std::memory_order_relaxed) == token_; }

    // Finds the next frame. `nothing`: it is not complete yet. With overwriting, frames that are
    // gone are skipped and counted.
    Look look() {
        const auto& cell = ring_.cell(slot_);
        // Acquire: the frame is read after its number.
        if (cell.sequence.load(std::memory_order_acquire) == complete(position_)) {
            note(cell);
            if (size_ <= ring_.geometry().slot_size) [[likely]]
                return Look::frame;
        }
        return look_closely();
    }
    // Whether the next frame is not complete yet.
    bool waits() const {
        return static_cast<std::int64_t>(
                   ring_.cell(slot_).sequence.load(std::memory_order_relaxed) -
                   complete(position_)) < 0;
    }
    // After look() found one.
    const std::byte* data() const { return ring_.frame(slot_); }
    std::uint32_t size() const { return size_; }
    std::uint32_t generation() const { return generation_; }
    std::uint64_t position() const { return position_; }
    std::uint64_t lost() const { return lost_; }  // since the last frame that was released
    // Whether what was read since look() is the frame. Acquire: what was read before this is not
    // read later than the number.
    bool intact() const {
        std::atomic_thread_fence(std::memory_order_acquire);
        return ring_.cell(slot_).sequence.load(std::memory_order_relaxed) == complete(position_);
    }
    // Goes on to the next frame. Whether the producer may have to be woken.
    bool release() {
        auto& header = ring_.header();
        slot_ = ring_.next(slot_);
        lost_ = 0;
        // Release: what this consumer read is read before the producer writes there again.
        place_->cursor.store(++position_, std::memory_order_release);
        RingWriter::order_before_look(header);
        return header.producer_waits.load(std::memory_order_relaxed) != 0;
    }

  private:
    void note(const RingCell& cell) {
        const auto frame = cell.frame.load(std::memory_order_relaxed);
        size_ = static_cast<std::uint32_t>(frame);
        generation_ = static_cast<std::uint32_t>(frame >> 32);
    }
    Look look_closely();
    void skip();

    RingMemory ring_;
    RingConsumer* place_ = nullptr;
    std::uint64_t token_ = 0;
    std::uint64_t position_ = 0, lost_ = 0;
    std::uint32_t slot_ = 0;
    std::uint32_t size_ = 0, generation_ = 0;
};

}  // namespace snakepit::shm::layout
