// SPDX-License-Identifier: MIT
// Rings of frames for C++20: one producer, many consumers, a fixed number of slots. What a ring
// promises, and its errors: snakepit_shm_ring.h.
//
//     auto ring = snakepit::Ring::produce(client, "camera", {.slot_size = 4 << 20, .slots = 8});
//     ring->push(std::as_bytes(std::span(pixels)));
//
//     auto ring = snakepit::Ring::open(client, "camera", SNAKEPIT_SHM_RING_CONSUMER);
//     auto frame = ring->peek();                 // in place
//     use(frame->bytes());
//     if (!frame->valid()) …                     // with overwriting: it was overwritten meanwhile
//
// A ring is used by one thread at a time. A Slot and a Frame refer to their Ring, which must
// outlive them and must not be moved meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "snakepit/shm/client.h"
#include "snakepit/shm/snakepit_shm_ring.h"

namespace snakepit {

struct RingOptions {
    std::uint64_t slot_size = 4096;  // bytes of the largest frame
    std::uint32_t slots = 16;
    std::uint32_t max_consumers = 16;
    snakepit_shm_ring_policy policy = SNAKEPIT_SHM_RING_OVERWRITE;
    Options region;  // its name is not used
};

class Ring {
  public:
    // The next frame of the producer, written in place. Nobody reads it before publish().
    class Slot {
      public:
        std::span<std::byte> bytes() const { return bytes_; }
        // `size`: bytes of the frame, at most those of the slot.
        Result<void> publish(std::uint64_t size) const {
            return detail::checked(snakepit_shm_ring_publish(ring_, size));
        }

      private:
        friend class Ring;
        Slot(snakepit_shm_ring* ring, std::span<std::byte> bytes) : ring_(ring), bytes_(bytes) {}
        snakepit_shm_ring* ring_;
        std::span<std::byte> bytes_;
    };

    // A frame in its slot, which is released when this is destroyed. Move-only.
    class Frame {
      public:
        Frame(Frame&& other) noexcept
            : ring_(std::exchange(other.ring_, nullptr)), raw_(other.raw_) {}
        Frame& operator=(Frame&& other) noexcept {
            if (this != &other) {
                static_cast<void>(release());
                ring_ = std::exchange(other.ring_, nullptr);
                raw_ = other.raw_;
            }
            return *this;
        }
        ~Frame() { static_cast<void>(release()); }

        std::span<const std::byte> bytes() const {
            return {static_cast<const std::byte*>(raw_.data), static_cast<std::size_t>(raw_.size)};
        }
        std::uint64_t number() const { return raw_.number; }
        std::uint64_t lost() const { return raw_.lost; }  // frames just before it
        std::uint32_t producer() const { return raw_.producer; }
        // Whether it was not overwritten until now. Ask after using the bytes.
        bool valid() const { return ring_ && snakepit_shm_ring_valid(ring_); }
        Result<void> release() {
            if (!ring_) return {};
            return detail::checked(snakepit_shm_ring_release(std::exchange(ring_, nullptr)));
        }

      private:
        friend class Ring;
        Frame(snakepit_shm_ring* ring, const snakepit_shm_frame& raw) : ring_(ring), raw_(raw) {}
        snakepit_shm_ring* ring_;  // null: released
        snakepit_shm_frame raw_;
    };

    // What pop() tells of a frame that it copied.
    struct Popped {
        std::uint64_t size = 0, number = 0, lost = 0;
        std::uint32_t producer = 0;
    };

    // Creates the ring of this name, or joins it if it exists with these options. An empty name:
    // none. SNAKEPIT_SHM_TIMEOUT: another producer has it.
    static Result<Ring> produce(const Client& client, const std::string& name,
                                const RingOptions& options = {},
                                std::chrono::milliseconds timeout = {}) {
        return create(client, name, options, SNAKEPIT_SHM_RING_PRODUCER, timeout);
    }
    static Result<Ring> consume(const Client& client, const std::string& name,
                                const RingOptions& options = {},
                                std::chrono::milliseconds timeout = {}) {
        return create(client, name, options, SNAKEPIT_SHM_RING_CONSUMER, timeout);
    }
    // A ring that exists, by its id or name.
    static Result<Ring> open(const Client& client, const std::string& id,
                             snakepit_shm_ring_role role, std::chrono::milliseconds timeout = {}) {
        snakepit_shm_ring* raw = nullptr;
        const auto status = snakepit_shm_ring_open(client.client_.get(), id.c_str(), role,
                                                   detail::millis(timeout), &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Ring(client.client_, raw);
    }
    Ring(Ring&& other) noexcept
        : client_(std::move(other.client_)), ring_(std::exchange(other.ring_, nullptr)) {}
    Ring& operator=(Ring&& other) noexcept {
        if (this != &other) {
            close();
            client_ = std::move(other.client_);
            ring_ = std::exchange(other.ring_, nullptr);
        }
        return *this;
    }
    ~Ring() { close(); }
    // Leaves the ring. A producer closes it for its consumers. May be called more than once.
    void close() { snakepit_shm_ring_close(std::exchange(ring_, nullptr)); }

    Result<snakepit_shm_ring_description> info() const {
        snakepit_shm_ring_description out{};
        out.struct_size = sizeof out;
        const auto status = snakepit_shm_ring_info(ring_, &out);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return out;
    }

    // ---- the producer. SNAKEPIT_SHM_TIMEOUT: no free slot in time, with back-pressure.
    Result<void> push(std::span<const std::byte> frame,
                      std::chrono::milliseconds timeout = kForever) const {
        return detail::checked(
            snakepit_shm_ring_push(ring_, frame.data(), frame.size(), detail::millis(timeout)));
    }
    Result<Slot> acquire(std::chrono::milliseconds timeout = kForever) const {
        void* slot = nullptr;
        const auto status = snakepit_shm_ring_acquire(ring_, detail::millis(timeout), &slot);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        const auto described = info();
        if (!described) return tl::unexpected<Error>(described.error());
        return Slot(
            ring_, {static_cast<std::byte*>(slot), static_cast<std::size_t>(described->slot_size)});
    }

    // ---- a consumer. SNAKEPIT_SHM_TIMEOUT: no frame in time. SNAKEPIT_SHM_PRODUCER_GONE,
    // SNAKEPIT_SHM_RING_CLOSED: how the producer ended, told once; read on to wait for the next
    // one.
    Result<Popped> pop(std::span<std::byte> buffer,
                       std::chrono::milliseconds timeout = kForever) const {
        snakepit_shm_frame raw{};
        raw.struct_size = sizeof raw;
        const auto status = snakepit_shm_ring_pop(ring_, buffer.data(), buffer.size(),
                                                  detail::millis(timeout), &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Popped{raw.size, raw.number, raw.lost, raw.producer};
    }
    Result<Frame> peek(std::chrono::milliseconds timeout = kForever) const {
        snakepit_shm_frame raw{};
        raw.struct_size = sizeof raw;
        const auto status = snakepit_shm_ring_peek(ring_, detail::millis(timeout), &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Frame(ring_, raw);
    }

    // ---- both
    // Asks whether the other side lives, for programs that only poll.
    Result<void> check() const { return detail::checked(snakepit_shm_ring_check(ring_)); }
    // An event of the client tells when there may be a frame, or a free slot. Returns a ticket.
    Result<std::uint64_t> wait_begin() const {
        std::uint64_t ticket = 0;
        const auto status = snakepit_shm_ring_wait_begin(ring_, &ticket);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return ticket;
    }

  private:
    Ring(detail::Handle client, snakepit_shm_ring* ring)
        : client_(std::move(client)), ring_(ring) {}
    static Result<Ring> create(const Client& client, const std::string& name,
                               const RingOptions& options, snakepit_shm_ring_role role,
                               std::chrono::milliseconds timeout) {
        const auto region = options.region.raw();
        const snakepit_shm_ring_options chosen{sizeof chosen,  options.slot_size,
                                               options.slots,  options.max_consumers,
                                               options.policy, &region};
        snakepit_shm_ring* raw = nullptr;
        const auto status =
            snakepit_shm_ring_create(client.client_.get(), name.empty() ? nullptr : name.c_str(),
                                     &chosen, role, detail::millis(timeout), &raw);
        if (status != SNAKEPIT_SHM_OK) return detail::failure(status);
        return Ring(client.client_, raw);
    }

    detail::Handle client_;  // keeps the memory mapped
    snakepit_shm_ring* ring_;
};

}  // namespace snakepit
