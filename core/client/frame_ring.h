// SPDX-License-Identifier: MIT
// One program's part in a ring of frames: its producer or one of its consumers. The protocol is in
// layout/frame_ring.h; here are roles, waiting and the deaths of others.
//
// Each part has a small region of its own, its member region, which is withdrawn when its process
// ends, however it ends. So whether a part lives is the manager's knowledge, which comes from the
// kernel: no heartbeats, and no process ids, which differ in containers.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "client/fork_guard.h"
#include "client/manager_client.h"
#include "layout/frame_ring.h"

namespace snakepit::shm {

struct RingOptions {
    layout::RingGeometry geometry;
    RegionOptions region;
};

enum class RingRole : std::uint8_t { consumer = 0, producer = 1 };

// A frame in its slot. Valid until it is released.
struct RingFrame {
    const std::byte* data = nullptr;
    std::uint64_t size = 0;
    std::uint64_t position = 0;    // its number: frames are counted from 0
    std::uint64_t lost = 0;        // frames before it that were overwritten unread
    std::uint32_t generation = 0;  // its producer, counted from 1
};

struct RingInfo {
    RegionId id;
    layout::RingGeometry geometry;
    std::uint64_t head = 0;        // the next frame's number
    std::uint64_t position = 0;    // of this part
    std::uint64_t furthest = 0;    // frames that the slowest consumer has still to read
    std::uint32_t consumers = 0;   // that have joined
    std::uint32_t generation = 0;  // of the last producer; 0: there was none
    bool closed = false;           // it has closed the ring
};

// One thread at a time. The client is passed to each call, because it may have been closed: the
// memory is mapped as long as it is connected. A timeout is in milliseconds; 0: do not wait, and do
// not ask the manager; kLockForever.
class FrameRing {
  public:
    // Creates the ring of this name, or a new one without a name; joins it if it exists with this
    // geometry (name_in_use: with another). timeout: another producer has the ring.
    // reference_limit: all places for consumers are taken.
    static Result<std::unique_ptr<FrameRing>> create(ManagerClient& client, const std::string& name,
                                                     const RingOptions& options, RingRole role,
                                                     std::uint32_t timeout_ms);
    static Result<std::unique_ptr<FrameRing>> open(ManagerClient& client, const RegionId& id,
                                                   RingRole role, std::uint32_t timeout_ms);
    // Leaves the ring. A producer closes it.
    void leave(ManagerClient& client);

    RingRole role() const { return role_; }
    const RegionId& id() const { return id_; }
    RingInfo info() const;

    // ---- what needs no waiting and is not an error, without the cost of a Result. False: nothing
    // was done, and the functions below say why. They store as little as possible: stores wait
    // behind those to memory that the other side has read last.
    bool push_at_once(ManagerClient& client, std::span<const std::byte> frame) noexcept {
        if (!takes_part(RingRole::producer) || frame.size() > memory_.geometry().slot_size ||
            !writer_.has_room())
            return false;
        auto* const slot = writer_.begin();
        if (!frame.empty()) std::memcpy(slot, frame.data(), frame.size());
        publish_slot(client, static_cast<std::uint32_t>(frame.size()));
        return true;
    }
    bool peek_at_once(RingFrame& frame) noexcept {
        if (!takes_part(RingRole::consumer) || reader_.look() != layout::RingReader::Look::frame ||
            reader_.generation() != generation_)
            return false;
        hand_out(frame);
        return true;
    }
    bool pop_at_once(ManagerClient& client, std::span<std::byte> buffer,
                     RingFrame& frame) noexcept {
        if (!peek_at_once(frame) || frame.size > buffer.size()) return false;
        if (frame.size > 0) std::memcpy(buffer.data(), frame.data, frame.size);
        if (!reader_.intact()) return false;
        release_slot(client);
        return true;
    }
    // Whether pop() with timeout 0 would find nothing and tell nothing.
    bool idle() const {
        return takes_part(RingRole::consumer) && reader_.waits() &&
               header().generation.load(std::memory_order_relaxed) == quiet_generation_ &&
               header().closed.load(std::memory_order_relaxed) == quiet_closed_;
    }

    // ---- the producer. not_held: it does not have the role any more.
    // The next frame's slot of geometry.slot_size bytes; null: no room in time.
    Result<std::byte*> acquire(ManagerClient& client, std::uint32_t timeout_ms);
    // Publishes `size` bytes of the acquired slot.
    Status publish(ManagerClient& client, std::uint64_t size);
    // Both, with a copy. False: no room in time.
    Result<bool> push(ManagerClient& client, std::span<const std::byte> frame,
                      std::uint32_t timeout_ms);

    // ---- a consumer. not_held: it was taken for dead. producer_gone, ring_closed: what the last
    // producer's end was; each is told once, after its frames.
    // False: no frame in time.
    Result<bool> peek(ManagerClient& client, std::uint32_t timeout_ms, RingFrame& frame);
    // Whether the frame that was peeked at was not overwritten until now.
    bool intact() const { return peeked_ && reader_.intact(); }
    // Goes on behind it.
    Status release(ManagerClient& client);
    // Both, with a copy. invalid_size: the frame is larger, and stays.
    Result<bool> pop(ManagerClient& client, std::span<std::byte> buffer, std::uint32_t timeout_ms,
                     RingFrame& frame);

    // ---- both
    // Asks now whether the other side lives: a consumer gets producer_gone, a producer drops dead
    // consumers that it waits for.
    Status check(ManagerClient& client);
    // An event tells when there is something to read, or room; it may come without.
    Result<std::uint64_t> wait_begin(ManagerClient& client);

  private:
    class Pause;
    FrameRing(RegionId id, const MappedRegion& mapping, RingRole role)
        : id_(id), mapping_(mapping), role_(role) {}
    static Result<std::unique_ptr<FrameRing>> join(ManagerClient& client, const RegionId& id,
                                                   const MappedRegion& mapping,
                                                   const RingOptions* options, RingRole role,
                                                   std::int64_t until);
    Status attach(ManagerClient& client, const RingOptions* options, std::int64_t until);
    Status become_member(ManagerClient& client);
    // False: the role is not free now.
    Result<bool> take_role(ManagerClient& client, std::int64_t until);
    Result<bool> produce(ManagerClient& client, std::int64_t until);
    Result<bool> consume(ManagerClient& client, std::int64_t until);

    // Neither in a forked child, nor in the other role, nor after another has taken it.
    bool takes_part(RingRole role) const {
        return guard_->here() == home_ && role == role_ &&
               (role == RingRole::producer ? writer_.current() : reader_.present());
    }
    tl::unexpected<Error> cannot_take_part(RingRole role) const;
    void publish_slot(ManagerClient& client, std::uint32_t size) {
        if (acquired_) acquired_ = false;
        if (writer_.publish(size)) [[unlikely]]
            wake(client, header().readers_wait);
    }
    void release_slot(ManagerClient& client) {
        peeked_ = false;
        if (reader_.release()) [[unlikely]]
            wake(client, header().producer_waits);
    }
    void hand_out(RingFrame& frame) {
        peeked_ = true;
        frame = {reader_.data(), reader_.size(), reader_.position(), reader_.lost(),
                 layout::RingGeneration::decode(generation_).number};
    }
    // The waiting halves of acquire() and peek().
    Result<bool> await_room(ManagerClient& client, std::uint32_t timeout_ms);
    Result<bool> await_frame(ManagerClient& client, std::uint32_t timeout_ms);
    Result<bool> find();
    Result<bool> find_or_end();
    Status tell(ErrorCode end, std::uint32_t number);
    Status tell_death_before(const layout::RingGeneration& generation);
    Result<bool> check_producer(ManagerClient& client, std::int64_t until);
    Status drop_dead(ManagerClient& client, std::int64_t until);
    // A mark for the other side: whoever changes something after that sees it, or is seen.
    void mark();
    // A notification that fails delays a sleeper by a slice.
    void wake(ManagerClient& client, std::atomic<std::uint32_t>& mark) noexcept;
    layout::RingHeader& header() const { return memory_.header(); }

    RegionId id_;
    MappedRegion mapping_;
    RingRole role_;
    RegionId member_;
    const ForkGuard* guard_ = &ForkGuard::instance();
    std::uint64_t home_ = guard_->here();  // the process that opened it
    layout::RingMemory memory_;
    layout::RingWriter writer_;
    layout::RingReader reader_;
    bool acquired_ = false, peeked_ = false;
    std::uint32_t generation_ = 0;  // RingGeneration of this producer, or of the last frame
    std::uint32_t told_ = 0;        // ends up to this producer's were told
    // What `generation` and `closed` were when there was nothing to tell.
    std::uint32_t quiet_generation_ = 0, quiet_closed_ = 0;
};

}  // namespace snakepit::shm
