// SPDX-License-Identifier: MIT
// Frames of a ring: written, read and waited for.
//
// Who waits marks that in the ring, orders its mark before its next look for all processes
// (platform/global_barrier.h), looks, and sleeps on the region's signal. The other side publishes,
// looks for the mark, clears it and notifies. So publishing needs no fence and no system call while
// nobody waits. A side that dies between the two delays a sleeper by kSleepMs, no more.
#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

#include "client/connection.h"
#include "client/frame_ring.h"
#include "platform/global_barrier.h"

namespace snakepit::shm {

using layout::RingGeneration;
using layout::RingReader;

namespace {

constexpr std::int64_t kSpin = 5'000;  // nanoseconds: both sides may share a processor
// Between two looks: who looks more often takes the cache line away from the other side.
constexpr int kRelax = 64;
constexpr std::int64_t kYield = 50'000;  // nanoseconds: about as long as being woken takes
constexpr std::int64_t kSleepMs = 100;   // a sleep at most
constexpr std::int64_t kAskEvery = 100 * kNanosPerMilli;  // whether the other side lives

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

}  // namespace

// One wait: how long to spin, to sleep, and when to ask whether the other side lives.
class FrameRing::Pause {
  public:
    explicit Pause(std::uint32_t timeout_ms)
        : began_(monotonic_nanos()),
          until_(timeout_ms == kLockForever ? INT64_MAX : began_ + timeout_ms * kNanosPerMilli),
          ask_at_(began_ + kAskEvery) {}

    std::int64_t until() const { return until_; }
    bool over() const { return monotonic_nanos() >= until_; }
    bool spins() const {
        const auto now = monotonic_nanos();
        if (now < began_ + kSpin)
            for (int i = 0; i < kRelax; ++i) relax();
        else
            std::this_thread::yield();
        return now < std::min(began_ + kYield, until_);
    }
    // Of the next sleep; at least 1.
    std::uint32_t slice_ms() const {
        const auto now = monotonic_nanos();
        const auto left = std::min(until_, ask_at_) - now;
        return static_cast<std::uint32_t>(
            std::clamp<std::int64_t>((left + kNanosPerMilli - 1) / kNanosPerMilli, 1, kSleepMs));
    }
    bool asks() {
        const auto now = monotonic_nanos();
        if (now < ask_at_) return false;
        ask_at_ = now + kAskEvery;
        return true;
    }

  private:
    std::int64_t began_, until_, ask_at_;
};

tl::unexpected<Error> FrameRing::cannot_take_part(RingRole role) const {
    if (guard_->here() != home_) return fail(forked_error());
    if (role != role_)
        return fail(ErrorCode::invalid_argument,
                    role == RingRole::producer ? "a consumer cannot write to the ring"
                                               : "the producer cannot read from the ring",
                    "open the ring in the other role");
    return fail(ErrorCode::not_held,
                role == RingRole::producer ? "another producer has taken the ring over"
                                           : "this consumer was taken for dead",
                "close the ring and open it again");
}

void FrameRing::mark() {
    auto& mine = role_ == RingRole::producer ? header().producer_waits : header().readers_wait;
    mine.store(1, std::memory_order_seq_cst);
    // Without the barrier the others are told to execute fences from now on. One that has not seen
    // that yet may miss this mark: a slice.
    if (header().fences.load(std::memory_order_relaxed) == 0 && !global_barrier())
        header().fences.store(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

void FrameRing::wake(ManagerClient& client, std::atomic<std::uint32_t>& mark) noexcept {
    // Release, and before the notification: a sleeper that the clearing concerns compares with a
    // counter from before.
    mark.store(0, std::memory_order_release);
    try {
        (void)client.notify(id_);      // a region that was deallocated wakes its waiters itself
    } catch (const std::exception&) {  // std::bad_alloc
    }
}

// ------------------------------------------------------------------ producer

Result<std::byte*> FrameRing::acquire(ManagerClient& client, std::uint32_t timeout_ms) {
    if (!takes_part(RingRole::producer)) return cannot_take_part(RingRole::producer);
    if (!writer_.room()) {
        SHM_ASSIGN(const bool room, await_room(client, timeout_ms));
        if (!room) return nullptr;
    }
    acquired_ = true;
    return writer_.begin();
}

Status FrameRing::publish(ManagerClient& client, std::uint64_t size) {
    if (!takes_part(RingRole::producer)) return cannot_take_part(RingRole::producer);
    if (!acquired_)
        return fail(ErrorCode::not_held, "no slot was acquired", "acquire a slot first");
    if (size > memory_.geometry().slot_size)
        return fail(ErrorCode::invalid_size, "the frame is larger than a slot",
                    "create the ring with larger slots");
    publish_slot(client, static_cast<std::uint32_t>(size));
    return {};
}

Result<bool> FrameRing::push(ManagerClient& client, std::span<const std::byte> frame,
                             std::uint32_t timeout_ms) {
    if (frame.size() > memory_.geometry().slot_size)
        return fail(ErrorCode::invalid_size, "the frame is larger than a slot",
                    "create the ring with larger slots");
    SHM_ASSIGN(auto* const slot, acquire(client, timeout_ms));
    if (!slot) return false;
    if (!frame.empty()) std::memcpy(slot, frame.data(), frame.size());
    SHM_TRY(publish(client, frame.size()));
    return true;
}

Result<bool> FrameRing::await_room(ManagerClient& client, std::uint32_t timeout_ms) {
    if (timeout_ms == 0) return false;
    Pause pause(timeout_ms);
    while (pause.spins())
        if (writer_.room()) return true;
    for (;;) {
        SHM_ASSIGN(const auto since, client.wait(id_, ~std::uint64_t{0}, 0));
        mark();
        if (writer_.room()) return true;
        if (pause.over()) return false;
        SHM_TRY(client.wait(id_, since.value_or(0), pause.slice_ms()));
        if (!takes_part(RingRole::producer)) return cannot_take_part(RingRole::producer);
        if (writer_.room()) return true;
        if (pause.asks()) SHM_TRY(drop_dead(client, pause.until()));
    }
}

// Only those that stand in the way.
Status FrameRing::drop_dead(ManagerClient& client, std::int64_t until) {
    writer_.each_slowest([&](layout::RingConsumer& place, std::uint64_t token) {
        // Without an answer it may live.
        const auto lives = client.exists(place.member.id(), until);
        if (lives && !*lives)
            place.token.compare_exchange_strong(token, 0, std::memory_order_release);
    });
    return {};
}

// ------------------------------------------------------------------ consumer

Result<bool> FrameRing::peek(ManagerClient& client, std::uint32_t timeout_ms, RingFrame& frame) {
    if (!takes_part(RingRole::consumer)) return cannot_take_part(RingRole::consumer);
    SHM_ASSIGN(bool found, find());
    if (!found) {
        SHM_ASSIGN(found, await_frame(client, timeout_ms));
        if (!found) return false;
    }
    hand_out(frame);
    return true;
}

Status FrameRing::release(ManagerClient& client) {
    if (!takes_part(RingRole::consumer)) return cannot_take_part(RingRole::consumer);
    if (!peeked_) return fail(ErrorCode::not_held, "no frame is held", "peek at a frame first");
    release_slot(client);
    return {};
}

Result<bool> FrameRing::pop(ManagerClient& client, std::span<std::byte> buffer,
                            std::uint32_t timeout_ms, RingFrame& frame) {
    for (;;) {
        SHM_ASSIGN(const bool found, peek(client, timeout_ms, frame));
        if (!found) return false;
        const bool fits = frame.size <= buffer.size();
        if (fits && frame.size > 0) std::memcpy(buffer.data(), frame.data, frame.size);
        if (!reader_.intact()) continue;  // it was overwritten: the next one that is there
        if (!fits)
            return fail(ErrorCode::invalid_size, "the frame is larger than the buffer",
                        "use a buffer of the ring's slot size");
        SHM_TRY(release(client));
        return true;
    }
}

// An end is told before the first frame of a later producer.
Result<bool> FrameRing::find() {
    switch (reader_.look()) {
        case RingReader::Look::nothing:
            return false;
        case RingReader::Look::frame:
            break;
        case RingReader::Look::damaged:
            (void)reader_.release();
            return fail(ErrorCode::corruption_detected, "a frame's size exceeds its slot",
                        "some program wrote into the ring: the frame was skipped");
    }
    if (reader_.generation() != generation_) [[unlikely]] {
        SHM_TRY(tell_death_before(RingGeneration::decode(reader_.generation())));
        generation_ = reader_.generation();
    }
    return true;
}

Status FrameRing::tell_death_before(const RingGeneration& generation) {
    if (!generation.after_death || told_ + 1 >= generation.number) return {};
    return tell(ErrorCode::producer_gone, generation.number - 1);
}

Status FrameRing::tell(ErrorCode end, std::uint32_t number) {
    told_ = number;
    return fail(end,
                end == ErrorCode::ring_closed ? "the producer has closed the ring"
                                              : "the producer of the ring ended without closing it",
                "read on to wait for the next one");
}

// As find(); and when there is no frame, how the producer ended, if that is in the ring.
Result<bool> FrameRing::find_or_end() {
    // Acquire: every frame before the end is found.
    const auto word = header().generation.load(std::memory_order_acquire);
    const auto ended = header().closed.load(std::memory_order_acquire);
    const bool closed = ended == word;
    SHM_ASSIGN(const bool found, find());
    if (found) return true;
    const auto now = RingGeneration::decode(word);
    SHM_TRY(tell_death_before(now));
    if (closed && told_ < now.number) SHM_TRY(tell(ErrorCode::ring_closed, now.number));
    quiet_generation_ = word;
    quiet_closed_ = ended;
    return false;
}

Result<bool> FrameRing::check_producer(ManagerClient& client, std::int64_t until) {
    const auto word = header().generation.load(std::memory_order_acquire);
    const auto now = RingGeneration::decode(word);
    if (now.number <= told_ || header().closed.load(std::memory_order_acquire) == word)
        return find_or_end();
    const auto lives = client.exists(header().member[now.number % 2].id(), until);
    SHM_ASSIGN(const bool found, find_or_end());
    // Without an answer it may live. The member is of a later producer unless the generation is the
    // same afterwards.
    if (found || !lives || *lives) return found;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (header().generation.load(std::memory_order_relaxed) != word || now.number <= told_)
        return false;
    SHM_TRY(tell(ErrorCode::producer_gone, now.number));
    return false;
}

Result<bool> FrameRing::await_frame(ManagerClient& client, std::uint32_t timeout_ms) {
    if (timeout_ms == 0) return find_or_end();
    Pause pause(timeout_ms);
    while (pause.spins()) {
        SHM_ASSIGN(const bool found, find());
        if (found) return true;
    }
    for (;;) {
        SHM_ASSIGN(const auto since, client.wait(id_, ~std::uint64_t{0}, 0));
        mark();
        SHM_ASSIGN(bool found, find_or_end());
        if (found) return true;
        if (pause.over()) return false;
        SHM_TRY(client.wait(id_, since.value_or(0), pause.slice_ms()));
        if (!takes_part(RingRole::consumer)) return cannot_take_part(RingRole::consumer);
        SHM_ASSIGN(found, find());
        if (found) return true;
        if (pause.asks()) {
            SHM_ASSIGN(found, check_producer(client, pause.until()));
            if (found) return true;
        }
    }
}

// ---------------------------------------------------------------------- both

Status FrameRing::check(ManagerClient& client) {
    if (!takes_part(role_)) return cannot_take_part(role_);
    const auto now = monotonic_nanos();
    if (role_ == RingRole::producer) return writer_.room() ? Status() : drop_dead(client, now);
    SHM_TRY(check_producer(client, now));
    return {};
}

Result<std::uint64_t> FrameRing::wait_begin(ManagerClient& client) {
    if (!takes_part(role_)) return cannot_take_part(role_);
    SHM_ASSIGN(const auto since, client.wait(id_, ~std::uint64_t{0}, 0));
    mark();
    const auto told = told_;
    const auto ready = role_ == RingRole::producer ? Result<bool>(writer_.room()) : find_or_end();
    told_ = told;  // the next read tells it
    // What there is already is told at once: by a counter that the region does not have.
    const bool at_once = !ready || *ready;
    return client.wait_begin(id_, since.value_or(0) + (at_once ? 1 : 0));
}

}  // namespace snakepit::shm
