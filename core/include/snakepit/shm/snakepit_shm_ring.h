/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief Snakepit SHM, C interface: rings of frames.
 *
 * A ring is a region with a fixed number of slots of one size. One producer writes frames into it,
 * up to 64 consumers read all of them, in order, each at its own pace. Frames are counted from 0.
 * The header needs snakepit_shm.h and belongs to the same library.
 *
 * **Policies.** With #SNAKEPIT_SHM_RING_OVERWRITE the producer never waits: a consumer that is too
 * slow loses the oldest frames and is told how many. With #SNAKEPIT_SHM_RING_BACK_PRESSURE the
 * producer waits for the slowest consumer; without consumers it does not wait. A consumer that
 * joins reads what is published from then on.
 *
 * **Ends.** A consumer that dies, however it dies, delays the producer by at most about 200
 * milliseconds, and is dropped. When the producer dies, each consumer reads the frames that were
 * published and is then told #SNAKEPIT_SHM_PRODUCER_GONE, once, within about 300 milliseconds;
 * #SNAKEPIT_SHM_RING_CLOSED if the producer closed the ring. Another program can open the ring as
 * its producer then, and frames go on with the next number. A frame that was half written is never
 * read. Who lives is the manager's knowledge: while no manager responds, nobody is taken for dead.
 *
 * **Threads.** A ring handle is used by one thread at a time. It belongs to the client it was
 * opened with; after that was closed, its functions fail with #SNAKEPIT_SHM_CLIENT_CLOSED, and
 * after it was disconnected pointers into slots are invalid. A forked child opens the ring for
 * itself.
 *
 * **Timeouts** are in milliseconds; #SNAKEPIT_SHM_FOREVER: no limit. With 0 a call never waits,
 * asks no manager and makes no system call, except to wake others that sleep; it does not notice
 * that the other side has died: call snakepit_shm_ring_check() now and then.
 *
 * **Trust.** Every program that may write to the region may take part, and could write nonsense
 * into the ring: the library then may report an error, lose frames or wait, but reads and writes
 * inside the ring only. The contents of a frame are the business of the programs.
 *
 * The errors of snakepit_shm.h apply. Besides, every function that takes a ring may return
 * #SNAKEPIT_SHM_NOT_HELD: this part is not in the ring any more, because its member region was
 * deallocated by force, so that others took it for dead. Close the ring and open it again.
 */
#ifndef SNAKEPIT_SHM_RING_H
#define SNAKEPIT_SHM_RING_H

#include "snakepit/shm/snakepit_shm.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One part in a ring: its producer or a consumer. Opaque; see snakepit_shm_ring_open(). */
typedef struct snakepit_shm_ring snakepit_shm_ring;

/** What happens when a consumer is too slow. */
typedef enum snakepit_shm_ring_policy {
    SNAKEPIT_SHM_RING_OVERWRITE = 0,    /**< it loses frames */
    SNAKEPIT_SHM_RING_BACK_PRESSURE = 1 /**< the producer waits */
} snakepit_shm_ring_policy;

/** What a program does in a ring. */
typedef enum snakepit_shm_ring_role {
    SNAKEPIT_SHM_RING_CONSUMER = 0,
    SNAKEPIT_SHM_RING_PRODUCER = 1
} snakepit_shm_ring_role;

/** Options of snakepit_shm_ring_create(). Start from #SNAKEPIT_SHM_RING_OPTIONS_INIT. */
typedef struct snakepit_shm_ring_options {
    size_t struct_size;     /**< sizeof(snakepit_shm_ring_options) */
    uint64_t slot_size;     /**< bytes of the largest frame: 1 to 2 GiB */
    uint32_t slots;         /**< 2 to 1,048,576 */
    uint32_t max_consumers; /**< at the same time: 1 to 64 */
    snakepit_shm_ring_policy policy;
    /** Of the region; NULL: the defaults. Its `name` is not used; a ring is never encrypted. */
    const snakepit_shm_options* region;
} snakepit_shm_ring_options;
/** 16 slots of 4,096 bytes for 16 consumers, overwriting. */
#define SNAKEPIT_SHM_RING_OPTIONS_INIT \
    { sizeof(snakepit_shm_ring_options), 4096, 16, 16, SNAKEPIT_SHM_RING_OVERWRITE, NULL }

/** A frame that a consumer reads. Set `struct_size` before the call. */
typedef struct snakepit_shm_frame {
    size_t struct_size; /**< sizeof(snakepit_shm_frame) */
    /** In its slot, aligned to 64 bytes, until snakepit_shm_ring_release(). Read only. */
    const void* data;
    uint64_t size;     /**< bytes */
    uint64_t number;   /**< frames are counted from 0, over all producers */
    uint64_t lost;     /**< frames just before it that this consumer lost */
    uint32_t producer; /**< which one wrote it: the ring's producers are counted from 1 */
} snakepit_shm_frame;

/** What snakepit_shm_ring_info() tells. Set `struct_size` before the call. */
typedef struct snakepit_shm_ring_description {
    size_t struct_size;            /**< sizeof(snakepit_shm_ring_description) */
    char id[SNAKEPIT_SHM_ID_SIZE]; /**< the region's */
    uint64_t slot_size;            /**< bytes */
    uint32_t slots;
    uint32_t max_consumers;
    snakepit_shm_ring_policy policy;
    snakepit_shm_ring_role role; /**< of this handle */
    uint64_t published;          /**< frames so far, over all producers */
    uint64_t position;  /**< the number of the frame that this handle writes or reads next */
    uint64_t behind;    /**< frames that the slowest consumer has still to read */
    uint32_t consumers; /**< that have joined and were not dropped */
    uint32_t producers; /**< that there were so far */
    bool closed;        /**< the last producer has closed the ring */
} snakepit_shm_ring_description;

/**
 * @brief Creates a ring and takes a role in it; or joins the ring of this name if there is one.
 *
 * Asks the manager a few times. The region has the ring as its metadata, if `region` has none. With
 * a name several programs may call this at the same time, with the same options, each in its role.
 *
 * @param client      The client.
 * @param name        Of the region, see "Names" in snakepit_shm.h. NULL: none; others open it by
 * its id.
 * @param options     NULL: #SNAKEPIT_SHM_RING_OPTIONS_INIT.
 * @param role        Of this handle.
 * @param timeout_ms  How long to wait for the role. A lock of moments is waited for in any case.
 * @param out         Receives the handle; NULL after an error.
 * @retval SNAKEPIT_SHM_INVALID_ARGUMENT  A ring cannot have these options.
 * @retval SNAKEPIT_SHM_NAME_IN_USE       There is a region of this name with other options.
 * @retval SNAKEPIT_SHM_TIMEOUT           Another producer has the ring. It may be alive and idle.
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT   All places for consumers are taken by live ones.
 * @retval SNAKEPIT_SHM_NOT_SUPPORTED     `region` asks for encryption. Others as for
 *                                        snakepit_shm_open() and snakepit_shm_allocate().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_create(
    snakepit_shm_client* client, const char* name, const snakepit_shm_ring_options* options,
    snakepit_shm_ring_role role, uint32_t timeout_ms, snakepit_shm_ring** out);
/**
 * @brief Takes a role in a ring that exists.
 *
 * @param client      The client.
 * @param id          The region's id or name.
 * @param role        Of this handle. Both need permission to write.
 * @param timeout_ms  As for snakepit_shm_ring_create(). A program that stands by to take over waits
 *                    here: it gets the role within about 200 milliseconds after the end of the last
 *                    producer.
 * @param out         Receives the handle; NULL after an error.
 * @retval SNAKEPIT_SHM_CORRUPTION_DETECTED  The region is not a ring, or its header is damaged.
 *                                           Others as for snakepit_shm_ring_create() and
 *                                           snakepit_shm_map().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_open(snakepit_shm_client* client,
                                                            const char* id,
                                                            snakepit_shm_ring_role role,
                                                            uint32_t timeout_ms,
                                                            snakepit_shm_ring** out);
/**
 * @brief Leaves the ring and frees the handle. A producer closes the ring, which its consumers are
 * told behind its last frame. The region ends as its cleanup policy says; see
 * snakepit_shm_deallocate().
 *
 * @param ring  NULL is allowed. No thread may use the handle during the call or afterwards. Works
 *              after the client was closed or disconnected, too, but consumers are then told
 *              #SNAKEPIT_SHM_PRODUCER_GONE if the client was disconnected before.
 */
SNAKEPIT_SHM_API void snakepit_shm_ring_close(snakepit_shm_ring* ring);
/**
 * @brief Describes a ring. Asks no manager.
 *
 * @param ring  The handle.
 * @param out   Set `out->struct_size` before the call.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_info(snakepit_shm_ring* ring,
                                                            snakepit_shm_ring_description* out);
/**
 * @brief Publishes a frame that is copied.
 *
 * Needs no system call while no consumer sleeps.
 *
 * @param ring        The producer's handle.
 * @param data        The frame. May be NULL if `size` is 0.
 * @param size        Bytes, at most the slot size.
 * @param timeout_ms  With back-pressure: how long to wait for a free slot.
 * @retval SNAKEPIT_SHM_TIMEOUT       No slot became free. Nothing was published.
 * @retval SNAKEPIT_SHM_INVALID_SIZE  The frame is larger than a slot.
 * @retval SNAKEPIT_SHM_NOT_HELD      Another producer has taken over.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_push(snakepit_shm_ring* ring,
                                                            const void* data, uint64_t size,
                                                            uint32_t timeout_ms);
/**
 * @brief The slot of the next frame, to be written in place and published by
 * snakepit_shm_ring_publish(). Until then nobody reads it; a slot that is acquired again is the
 * same one.
 *
 * @param ring        The producer's handle.
 * @param timeout_ms  As for snakepit_shm_ring_push().
 * @param slot        Receives the address of slot_size bytes, aligned to 64 bytes, which may
 * contain an earlier frame.
 * @retval SNAKEPIT_SHM_TIMEOUT  No slot became free.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_acquire(snakepit_shm_ring* ring,
                                                               uint32_t timeout_ms, void** slot);
/**
 * @brief Publishes the acquired slot.
 *
 * @param ring  The producer's handle.
 * @param size  Bytes of the frame, at most the slot size.
 * @retval SNAKEPIT_SHM_NOT_HELD      No slot was acquired, or another producer has taken over.
 * @retval SNAKEPIT_SHM_INVALID_SIZE  The frame is larger than a slot.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_publish(snakepit_shm_ring* ring,
                                                               uint64_t size);
/**
 * @brief Reads the next frame into a buffer. A torn frame is never returned.
 *
 * @param ring        A consumer's handle.
 * @param buffer      Receives the frame. Its contents are undefined after an error.
 * @param capacity    Bytes of the buffer.
 * @param timeout_ms  How long to wait for a frame.
 * @param frame       Receives the rest; its `data` is `buffer`. May be NULL. Set `struct_size`.
 * @retval SNAKEPIT_SHM_TIMEOUT              There was no frame in time.
 * @retval SNAKEPIT_SHM_PRODUCER_GONE        The producer died. Told once; read on to wait for the
 *                                           next one.
 * @retval SNAKEPIT_SHM_RING_CLOSED          The producer closed the ring. The same.
 * @retval SNAKEPIT_SHM_INVALID_SIZE         The frame is larger than the buffer; it stays, and
 *                                           `frame->size` has its size.
 * @retval SNAKEPIT_SHM_CORRUPTION_DETECTED  Some program wrote into the ring; a frame was skipped.
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND     While waiting: the region was deallocated.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_pop(snakepit_shm_ring* ring, void* buffer,
                                                           uint64_t capacity, uint32_t timeout_ms,
                                                           snakepit_shm_frame* frame);
/**
 * @brief Looks at the next frame in its slot, without copying. Without a release in between the
 * same frame is found again, unless it was overwritten.
 *
 * With back-pressure the slot is not written before snakepit_shm_ring_release(). With overwriting
 * the producer may write to it at any time: ask snakepit_shm_ring_valid() after using the bytes,
 * and before believing them.
 *
 * @param ring        A consumer's handle.
 * @param timeout_ms  As for snakepit_shm_ring_pop(), with its other errors.
 * @param frame       Set `struct_size` before the call.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_peek(snakepit_shm_ring* ring,
                                                            uint32_t timeout_ms,
                                                            snakepit_shm_frame* frame);
/**
 * @brief Whether the frame of snakepit_shm_ring_peek() was not overwritten until now. Never blocks.
 * @return False also when no frame is held, or the client was closed.
 */
SNAKEPIT_SHM_API bool snakepit_shm_ring_valid(snakepit_shm_ring* ring);
/**
 * @brief Gives the slot of snakepit_shm_ring_peek() back and goes on to the next frame.
 *
 * @retval SNAKEPIT_SHM_NOT_HELD  No frame is held.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_release(snakepit_shm_ring* ring);
/**
 * @brief Asks the manager whether the other side lives. For programs that only poll; calls that
 * wait do it themselves.
 *
 * A consumer is told the end of the producer, once, if there is no frame to read. A producer that
 * has no free slot drops the dead consumers that it waits for. Waits at most about 100
 * milliseconds.
 *
 * @retval SNAKEPIT_SHM_PRODUCER_GONE  As for snakepit_shm_ring_pop().
 * @retval SNAKEPIT_SHM_RING_CLOSED    As for snakepit_shm_ring_pop().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_check(snakepit_shm_ring* ring);
/**
 * @brief Waits without a thread: returns at once, and an event of the client tells that there may
 * be a frame to read; for the producer, a free slot.
 *
 * As snakepit_shm_wait_begin(). Read or write with timeout 0 then, and wait again if there was
 * nothing. The event does not tell that the other side has died: call snakepit_shm_ring_check()
 * from a timer.
 *
 * @param ring    The handle.
 * @param ticket  Receives a number for snakepit_shm_next_event() and snakepit_shm_cancel().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_ring_wait_begin(snakepit_shm_ring* ring,
                                                                  uint64_t* ticket);

#ifdef __cplusplus
}
#endif

#endif
