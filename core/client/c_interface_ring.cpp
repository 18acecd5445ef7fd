// SPDX-License-Identifier: MIT
// The C interface of rings.
#include "client/c_interface_support.h"
#include "client/frame_ring.h"
#include "snakepit/shm/snakepit_shm_ring.h"

using namespace snakepit::shm;

struct snakepit_shm_ring {
    snakepit_shm_client* client;
    std::unique_ptr<FrameRing> ring;
};

namespace {

RingRole role_of(snakepit_shm_ring_role role) {
    return role == SNAKEPIT_SHM_RING_PRODUCER ? RingRole::producer : RingRole::consumer;
}

template <typename F>
snakepit_shm_status in_ring(snakepit_shm_ring* ring, F&& body) {
    if (!ring) return bad_argument("the ring is NULL");
    return in_client(ring->client,
                     [&](ManagerClient& client) { return body(client, *ring->ring); });
}

// The path of a frame that needs no waiting. False: the long path tells why.
template <typename F>
bool at_once(snakepit_shm_ring* ring, F body) {
    if (!ring || !ClientTable::in_open_client(ring->client, [&](ManagerClient& client) {
            return body(client, *ring->ring);
        }))
        return false;
    clear_last_error();
    return true;
}

// False: the time was up.
snakepit_shm_status finish(const Result<bool>& done, const char* what) {
    if (!done) return failed(done.error());
    if (*done) return SNAKEPIT_SHM_OK;
    set_last_error(what);
    return SNAKEPIT_SHM_TIMEOUT;
}

constexpr auto kNoFrame = "no frame was published in time: read again";
constexpr auto kNoRoom = "no consumer released a slot in time: write again, or use more slots";

void to_c(const RingFrame& from, const void* data, snakepit_shm_frame* out) {
    if (!out) return;
    copy_sized(out, snakepit_shm_frame{sizeof(snakepit_shm_frame), data, from.size, from.position,
                                       from.lost, from.generation});
}

snakepit_shm_status keep(snakepit_shm_client* client, Result<std::unique_ptr<FrameRing>> opened,
                         snakepit_shm_ring** out) {
    if (!opened) return failed(opened.error());
    *out = new snakepit_shm_ring{client, std::move(*opened)};
    return SNAKEPIT_SHM_OK;
}

// Not in the function that calls it, which would have to save more registers.
[[gnu::noinline]] snakepit_shm_status push_slowly(snakepit_shm_ring* ring,
                                                  std::span<const std::byte> frame,
                                                  uint32_t timeout_ms) {
    if (!frame.data() && !frame.empty())
        return bad_argument("ring_push requires the frame's bytes");
    return in_ring(ring, [&](ManagerClient& client, FrameRing& part) {
        return finish(part.push(client, frame, timeout_ms), kNoRoom);
    });
}

}  // namespace

extern "C" {

snakepit_shm_status snakepit_shm_ring_create(snakepit_shm_client* client, const char* name,
                                             const snakepit_shm_ring_options* options,
                                             snakepit_shm_ring_role role, uint32_t timeout_ms,
                                             snakepit_shm_ring** out) {
    if (!client || !out)
        return bad_argument("ring_create requires a client and a pointer for the ring");
    *out = nullptr;
    return in_client(client, [&](ManagerClient& manager) {
        const auto chosen =
            read_sized(options, snakepit_shm_ring_options SNAKEPIT_SHM_RING_OPTIONS_INIT);
        if (name)
            if (const auto checked = check_region_name(name); !checked)
                return failed(checked.error());
        RingOptions ring;
        ring.geometry = {chosen.slot_size, chosen.slots, chosen.max_consumers,
                         static_cast<layout::RingPolicy>(chosen.policy)};
        ring.region =
            from_c(read_sized(chosen.region, snakepit_shm_options SNAKEPIT_SHM_OPTIONS_INIT));
        return keep(client,
                    FrameRing::create(manager, name ? name : "", ring, role_of(role), timeout_ms),
                    out);
    });
}

snakepit_shm_status snakepit_shm_ring_open(snakepit_shm_client* client, const char* id,
                                           snakepit_shm_ring_role role, uint32_t timeout_ms,
                                           snakepit_shm_ring** out) {
    if (!client || !id || !out)
        return bad_argument("ring_open requires a client, an id and a pointer for the ring");
    *out = nullptr;
    return on_region(client, id, [&](ManagerClient& manager, const RegionId& region) {
        return keep(client, FrameRing::open(manager, region, role_of(role), timeout_ms), out);
    });
}

void snakepit_shm_ring_close(snakepit_shm_ring* ring) {
    if (!ring) return;
    (void)in_client(
        ring->client,
        [&](ManagerClient& client) {
            ring->ring->leave(client);
            return SNAKEPIT_SHM_OK;
        },
        With::closed_client_too);
    delete ring;
}

snakepit_shm_status snakepit_shm_ring_info(snakepit_shm_ring* ring,
                                           snakepit_shm_ring_description* out) {
    if (!out || out->struct_size < sizeof out->struct_size)
        return bad_argument("ring_info requires a ring and a struct_size");
    return in_ring(ring, [&](ManagerClient& /*client*/, const FrameRing& part) {
        const auto info = part.info();
        snakepit_shm_ring_description described{};
        described.struct_size = sizeof described;
        snakepit::shm::to_c(info.id, described.id);
        described.slot_size = info.geometry.slot_size;
        described.slots = info.geometry.slots;
        described.max_consumers = info.geometry.consumers;
        described.policy = static_cast<snakepit_shm_ring_policy>(info.geometry.policy);
        described.role = static_cast<snakepit_shm_ring_role>(part.role());
        described.published = info.head;
        described.position = info.position;
        described.behind = info.furthest;
        described.consumers = info.consumers;
        described.producers = info.generation;
        described.closed = info.closed;
        copy_sized(out, described);
        return SNAKEPIT_SHM_OK;
    });
}

snakepit_shm_status snakepit_shm_ring_push(snakepit_shm_ring* ring, const void* data, uint64_t size,
                                           uint32_t timeout_ms) {
    const std::span frame{static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
    if (at_once(ring, [frame](ManagerClient& client, FrameRing& part) {
            return (frame.data() || frame.empty()) && part.push_at_once(client, frame);
        }))
        return SNAKEPIT_SHM_OK;
    return push_slowly(ring, frame, timeout_ms);
}

snakepit_shm_status snakepit_shm_ring_acquire(snakepit_shm_ring* ring, uint32_t timeout_ms,
                                              void** slot) {
    if (!slot) return bad_argument("ring_acquire requires a pointer for the slot");
    return in_ring(ring, [&](ManagerClient& client, FrameRing& part) {
        const auto acquired = part.acquire(client, timeout_ms);
        *slot = acquired ? *acquired : nullptr;
        return acquired ? finish(Result<bool>(*slot != nullptr), kNoRoom)
                        : failed(acquired.error());
    });
}

snakepit_shm_status snakepit_shm_ring_publish(snakepit_shm_ring* ring, uint64_t size) {
    return in_ring(ring, [&](ManagerClient& client, FrameRing& part) {
        return finish(part.publish(client, size));
    });
}

snakepit_shm_status snakepit_shm_ring_pop(snakepit_shm_ring* ring, void* buffer, uint64_t capacity,
                                          uint32_t timeout_ms, snakepit_shm_frame* frame) {
    if (!buffer && capacity != 0) return bad_argument("ring_pop requires a buffer");
    RingFrame found;
    const std::span out{static_cast<std::byte*>(buffer), static_cast<std::size_t>(capacity)};
    if (at_once(ring, [out, &found](ManagerClient& client, FrameRing& part) {
            return part.pop_at_once(client, out, found);
        })) {
        to_c(found, buffer, frame);
        return SNAKEPIT_SHM_OK;
    }
    return in_ring(ring, [&](ManagerClient& client, FrameRing& part) {
        if (timeout_ms == 0 && part.idle()) return finish(Result<bool>(false), kNoFrame);
        found = {};
        const auto done = part.pop(client, out, timeout_ms, found);
        if (done ? *done : found.data != nullptr) to_c(found, buffer, frame);
        return finish(done, kNoFrame);
    });
}

snakepit_shm_status snakepit_shm_ring_peek(snakepit_shm_ring* ring, uint32_t timeout_ms,
                                           snakepit_shm_frame* frame) {
    if (!frame || frame->struct_size < sizeof frame->struct_size)
        return bad_argument("ring_peek requires a ring and a struct_size");
    RingFrame found;
    if (at_once(ring, [&found](ManagerClient& /*client*/, FrameRing& part) {
            return part.peek_at_once(found);
        })) {
        to_c(found, found.data, frame);
        return SNAKEPIT_SHM_OK;
    }
    return in_ring(ring, [&](ManagerClient& client, FrameRing& part) {
        if (timeout_ms == 0 && part.idle()) return finish(Result<bool>(false), kNoFrame);
        const auto done = part.peek(client, timeout_ms, found);
        if (done && *done) to_c(found, found.data, frame);
        return finish(done, kNoFrame);
    });
}

bool snakepit_shm_ring_valid(snakepit_shm_ring* ring) {
    bool valid = false;
    (void)in_ring(ring, [&](ManagerClient& /*client*/, const FrameRing& part) {
        valid = part.intact();
        return SNAKEPIT_SHM_OK;
    });
    return valid;
}

snakepit_shm_status snakepit_shm_ring_release(snakepit_shm_ring* ring) {
    return in_ring(
        ring, [&](ManagerClient& client, FrameRing& part) { return finish(part.release(client)); });
}

snakepit_shm_status snakepit_shm_ring_check(snakepit_shm_ring* ring) {
    return in_ring(
        ring, [&](ManagerClient& client, FrameRing& part) { return finish(part.check(client)); });
}

snakepit_shm_status snakepit_shm_ring_wait_begin(snakepit_shm_ring* ring, uint64_t* ticket) {
    if (!ticket) return bad_argument("ring_wait_begin requires a pointer for the ticket");
    return in_ring(ring, [&](ManagerClient& client, FrameRing& part) {
        return snakepit::shm::finish(part.wait_begin(client),
                                     [&](std::uint64_t begun) { *ticket = begun; });
    });
}

}  // extern "C"
