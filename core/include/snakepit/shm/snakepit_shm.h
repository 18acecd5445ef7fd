/* SPDX-License-Identifier: MIT */
/* Snakepit SHM, C interface. Share memory between processes through the manager of this host.
 *
 * All functions are thread-safe. Those that return a snakepit_shm_status return SNAKEPIT_SHM_OK (0)
 * or say why not; snakepit_shm_last_error() then has the sentence, for the calling thread.
 * A forked child inherits no connection: every call with the parent's client fails with
 * SNAKEPIT_SHM_FORKED there, and the child connects for itself.
 *
 * A client may be closed or disconnected at any time, by any thread, whatever the others do. Calls
 * that are in it then end within 100 milliseconds, most with SNAKEPIT_SHM_CLIENT_CLOSED, and so
 * does every call that uses the handle afterwards; a handle is never used for another client. A
 * large copy that has begun is finished first. Do not call these functions in a signal handler.
 *
 * Each call has one deadline from its beginning. It covers calls of other threads that have to end
 * first, connecting to a manager that was started again, waiting, and the answer. It is the call's
 * own timeout, or else what the client was connected with. A manager that is not there, or is there
 * and does not answer, is SNAKEPIT_SHM_NO_MANAGER; SNAKEPIT_SHM_TIMEOUT means that a manager that
 * answers has not granted a lock in time. One that is there is given at least 100 milliseconds to
 * answer. Signals neither end a call nor prolong it. */
#ifndef SNAKEPIT_SHM_H
#define SNAKEPIT_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define SNAKEPIT_SHM_API
#else
#define SNAKEPIT_SHM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SNAKEPIT_SHM_ID_SIZE 64 /* bytes for an id and its terminating zero */

typedef struct snakepit_shm_client snakepit_shm_client;

/* The same numbers as in the manager's answers and the same names as "code" in the command line's
 * JSON. */
typedef enum snakepit_shm_status {
    SNAKEPIT_SHM_OK = 0,
    SNAKEPIT_SHM_ALLOCATION_FAILED = 1,
    SNAKEPIT_SHM_MAPPING_FAILED = 2,
    SNAKEPIT_SHM_PERMISSION_DENIED = 3,
    SNAKEPIT_SHM_REGION_NOT_FOUND = 4,
    SNAKEPIT_SHM_MEMORY_LIMIT_EXCEEDED = 5,
    SNAKEPIT_SHM_PLATFORM_ERROR = 6,
    SNAKEPIT_SHM_SECURITY_VIOLATION = 7,
    SNAKEPIT_SHM_CORRUPTION_DETECTED = 8,
    SNAKEPIT_SHM_CLEANUP_FAILED = 9,
    SNAKEPIT_SHM_TIMEOUT = 10,
    SNAKEPIT_SHM_DEADLOCK = 11,
    SNAKEPIT_SHM_NOT_HELD = 12,
    SNAKEPIT_SHM_NO_MANAGER = 13,
    SNAKEPIT_SHM_INVALID_ARGUMENT = 14,
    SNAKEPIT_SHM_INVALID_SIZE = 15,
    SNAKEPIT_SHM_INVALID_REGION_ID = 16,
    SNAKEPIT_SHM_SIZE_EXCEEDS_LIMIT = 17,
    SNAKEPIT_SHM_REGION_LIMIT_EXCEEDED = 18,
    SNAKEPIT_SHM_PROCESS_REGION_LIMIT_EXCEEDED = 19,
    SNAKEPIT_SHM_NO_SPACE = 20,
    SNAKEPIT_SHM_REGION_IN_USE = 21,
    SNAKEPIT_SHM_REFERENCE_LIMIT = 22,
    SNAKEPIT_SHM_IS_READ_ONLY = 23,
    SNAKEPIT_SHM_IDENTITY_MISMATCH = 24,
    SNAKEPIT_SHM_FORKED = 25,
    SNAKEPIT_SHM_PROTOCOL_ERROR = 26,
    SNAKEPIT_SHM_VERSION_MISMATCH = 27,
    SNAKEPIT_SHM_CLIENT_LIMIT_EXCEEDED = 28,
    SNAKEPIT_SHM_INSTANCE_IN_USE = 29,
    SNAKEPIT_SHM_PLUGIN_LOAD_FAILED = 30,
    SNAKEPIT_SHM_CONFIGURATION_INVALID = 31,
    SNAKEPIT_SHM_DATABASE_UNAVAILABLE = 32,
    SNAKEPIT_SHM_REGISTRY_LOST = 33,
    SNAKEPIT_SHM_NOT_SUPPORTED = 34,
    SNAKEPIT_SHM_USER_LIMIT_EXCEEDED = 35,
    SNAKEPIT_SHM_CLIENT_CLOSED = 36, /* the client was disconnected, perhaps during the call */
    SNAKEPIT_SHM_AUDIT_UNAVAILABLE = 40,
    SNAKEPIT_SHM_POLICY_INVALID = 45,
    SNAKEPIT_SHM_ENCRYPTION_REQUIRED = 46,
    SNAKEPIT_SHM_TELEMETRY_UNAVAILABLE = 65
} snakepit_shm_status;

typedef enum snakepit_shm_access {
    SNAKEPIT_SHM_READ_ONLY = 0,
    SNAKEPIT_SHM_READ_WRITE = 1
} snakepit_shm_access;
typedef enum snakepit_shm_permission {
    SNAKEPIT_SHM_PERMIT_NONE = 0,
    SNAKEPIT_SHM_PERMIT_READ_ONLY = 1,
    SNAKEPIT_SHM_PERMIT_READ_WRITE = 2
} snakepit_shm_permission;
typedef enum snakepit_shm_security {
    SNAKEPIT_SHM_SECURITY_DEFAULT = -1, /* what the configuration says */
    SNAKEPIT_SHM_STANDARD = 0,
    SNAKEPIT_SHM_HIGH = 1,
    SNAKEPIT_SHM_MAXIMUM = 2
} snakepit_shm_security;
typedef enum snakepit_shm_cleanup_policy {
    SNAKEPIT_SHM_AUTOMATIC = 0,
    SNAKEPIT_SHM_MANUAL = 1,
    SNAKEPIT_SHM_REFERENCE_COUNTED = 2
} snakepit_shm_cleanup_policy;
typedef enum snakepit_shm_placement {
    SNAKEPIT_SHM_PLACE_AUTOMATIC = 0,
    SNAKEPIT_SHM_PLACE_POOLED = 1,
    SNAKEPIT_SHM_PLACE_DEDICATED = 2
} snakepit_shm_placement;

/* Set struct_size to sizeof the struct; start from SNAKEPIT_SHM_OPTIONS_INIT. */
typedef struct snakepit_shm_options {
    size_t struct_size;
    int64_t timeout_ms; /* unused for this long: cleaned; -1 the manager's default, 0 never */
    snakepit_shm_security security_level;
    snakepit_shm_access access_mode; /* the most anybody may map it with */
    snakepit_shm_cleanup_policy cleanup_policy;
    snakepit_shm_placement placement;
    snakepit_shm_permission owner, group, other;
    const char* metadata; /* a JSON object, at most 1,000 bytes; NULL for none */
    bool owned_by_user;   /* survives this process without being an orphan */
    bool durable; /* kept in the state directory, survives a reboot; it is its user's then */
    /* Read-write for the owner and nothing for others stands for what the configuration says,
     * unless this is set: then it is meant as it stands. */
    bool exact_permissions;
} snakepit_shm_options;
#define SNAKEPIT_SHM_OPTIONS_INIT                                                                 \
    {                                                                                             \
        sizeof(snakepit_shm_options), -1, SNAKEPIT_SHM_SECURITY_DEFAULT, SNAKEPIT_SHM_READ_WRITE, \
            SNAKEPIT_SHM_AUTOMATIC, SNAKEPIT_SHM_PLACE_AUTOMATIC, SNAKEPIT_SHM_PERMIT_READ_WRITE, \
            SNAKEPIT_SHM_PERMIT_NONE, SNAKEPIT_SHM_PERMIT_NONE, NULL, false, false, false         \
    }

typedef struct snakepit_shm_mapping {
    void* data;
    uint64_t size;        /* bytes, as asked for at allocation */
    uint64_t reserved[4]; /* the library's own */
} snakepit_shm_mapping;

typedef struct snakepit_shm_region_info {
    size_t struct_size; /* set by the caller before snakepit_shm_info */
    char id[SNAKEPIT_SHM_ID_SIZE];
    uint64_t size, actual_size;        /* bytes */
    int64_t created_at, last_accessed; /* microseconds since 1970 UTC */
    uint64_t access_count, reference_count;
    int64_t owner_pid;
    uint32_t owner_uid;
    snakepit_shm_security security_level;
    snakepit_shm_cleanup_policy cleanup_policy;
    snakepit_shm_access access_mode;
    int64_t timeout_ms; /* 0: never */
    char state[16];     /* "live", "orphan", "closing" … */
} snakepit_shm_region_info;

typedef struct snakepit_shm_cleanup_options {
    size_t struct_size;
    bool dry_run;        /* say what would be done */
    bool orphans;        /* of programs that are gone */
    bool expired;        /* unused for longer than their timeout */
    bool all_eligible;   /* everything nobody holds */
    bool no_quarantine;  /* what goes is freed at once and cannot be restored */
    const char* session; /* only what was made in it; NULL or empty: any */
    const char* worker;  /* only what it made; NULL or empty: any */
} snakepit_shm_cleanup_options;

typedef struct snakepit_shm_cleanup_result {
    uint64_t removed;     /* freed or put in quarantine; in a dry run: would be */
    uint64_t bytes_freed; /* at once; what is in quarantine is freed when that is over */
} snakepit_shm_cleanup_result;

/* instance NULL: $SNAKEPIT_SHM_INSTANCE, else "default". As snakepit_shm_connect_within with 10
 * seconds. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_connect(const char* instance,
                                                          snakepit_shm_client** out);
/* wait_ms: how long this call, and each later one of the client that has no timeout of its own, may
 * wait for the manager; 0: no longer than one that runs needs to answer. Where no manager was
 * started, SNAKEPIT_SHM_NO_MANAGER comes at once. Where one has ended and its socket is still
 * there, the next one is waited for, for at most 5 seconds. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_connect_within(const char* instance,
                                                                 uint32_t wait_ms,
                                                                 snakepit_shm_client** out);
/* Ends every call that is in this client and refuses new ones, all with
 * SNAKEPIT_SHM_CLIENT_CLOSED. What is mapped stays mapped and held until it is unmapped or the
 * client disconnected; snakepit_shm_unmap, _unlock and _cancel go on working. For threads that are
 * to stop before the client is disconnected. Again is allowed. */
SNAKEPIT_SHM_API void snakepit_shm_close(snakepit_shm_client* client);
/* Closes the client, waits until no call is in it any more, and ends the connection and every
 * reference and lock of it. Mappings become invalid: no thread may touch their memory afterwards;
 * snakepit_shm_read, _write and _flush that have begun still end safely. What was changed in
 * mappings of encrypted regions and not flushed is lost. NULL, a callback of snakepit_shm_list, and
 * a client that was disconnected before are allowed; of two threads that disconnect the same one at
 * the same time only one waits for the end. */
SNAKEPIT_SHM_API void snakepit_shm_disconnect(snakepit_shm_client* client);

/* A new region, all zero, with its pages reserved. It holds one reference of this client until
 * snakepit_shm_deallocate or the end of the client. options NULL: the defaults. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_allocate(snakepit_shm_client* client,
                                                           uint64_t size,
                                                           const snakepit_shm_options* options,
                                                           char id[SNAKEPIT_SHM_ID_SIZE]);
/* Takes a reference and fills out->data and out->size. The second and later maps of a region by a
 * client need no system call. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_map(snakepit_shm_client* client, const char* id,
                                                      snakepit_shm_access access,
                                                      snakepit_shm_mapping* out);
/* Gives the reference back; do not touch the memory afterwards. An encrypted region that was mapped
 * for writing is flushed first: when that fails, the error says why, the mapping is gone and with
 * it what was not written. snakepit_shm_flush before it can be tried again. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_unmap(snakepit_shm_client* client,
                                                        snakepit_shm_mapping* mapping);
/* Nobody finds or maps the region any more; its memory goes with the last reference. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_deallocate(snakepit_shm_client* client,
                                                             const char* id);
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_info(snakepit_shm_client* client, const char* id,
                                                       snakepit_shm_region_info* out);
/* Makes the region immutable: at once, or as soon as the last reference to it is given back. From
 * now on nobody can map it for writing. Unmap it first: what this client has mapped is a reference,
 * too. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_seal(snakepit_shm_client* client, const char* id);
/* Copies size bytes from, or to, the region's offset (bytes), all of them or none. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_read(snakepit_shm_client* client, const char* id,
                                                       uint64_t offset, void* buffer,
                                                       uint64_t size);
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_write(snakepit_shm_client* client, const char* id,
                                                        uint64_t offset, const void* buffer,
                                                        uint64_t size);

/* Regions of level SNAKEPIT_SHM_HIGH and above are encrypted in shared memory, in chunks of 64 KiB,
 * and are not shared without copying: a mapping is a private copy in the clear, in memory that is
 * kept out of core dumps, forked children and (as far as RLIMIT_MEMLOCK allows) swap. A mapping for
 * writing takes that memory twice. What is written to it becomes the region's contents when it is
 * flushed or unmapped, all of it at once: whoever maps, reads or refreshes then sees all of it or
 * nothing. A program that dies, or disconnects, before that loses what it changed since and damages
 * nothing. Two that change the same chunk between their flushes: the later flush has it.
 * A flush takes the region's lock, so it waits for those who hold one. snakepit_shm_read and
 * snakepit_shm_write decrypt, or encrypt and commit, only the chunks they touch; a read that fails
 * may have overwritten the buffer. libsnakepit_shm_crypto.so is loaded when a program first touches
 * such a region; SNAKEPIT_SHM_NOT_SUPPORTED: it is not there.
 * SNAKEPIT_SHM_CORRUPTION_DETECTED: what is in shared memory is not what was written last. */

/* Writes back what was changed in the mapping. Of another region: nothing is to be done. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_flush(snakepit_shm_client* client,
                                                        const snakepit_shm_mapping* mapping);
/* Brings in what others flushed since; chunks that were changed here and not flushed stay. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_refresh(snakepit_shm_client* client,
                                                          const snakepit_shm_mapping* mapping);
/* Encrypts the region anew, under a key of its own. For its owner; who uses it need not stop. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_rotate_key(snakepit_shm_client* client,
                                                             const char* id);
/* Calls back once a region, on the calling thread, until the callback returns false. The callback
 * may call anything, with this client too. filter NULL: all. */
typedef bool (*snakepit_shm_list_callback)(const snakepit_shm_region_info* region, void* context);
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_list(snakepit_shm_client* client,
                                                       const char* filter,
                                                       snakepit_shm_list_callback callback,
                                                       void* context);
/* options NULL: what is due. out may be NULL. */
SNAKEPIT_SHM_API snakepit_shm_status
snakepit_shm_cleanup(snakepit_shm_client* client, const snakepit_shm_cleanup_options* options,
                     snakepit_shm_cleanup_result* out);
/* Locks the region: shared with other readers (SNAKEPIT_SHM_READ_ONLY) or alone
 * (SNAKEPIT_SHM_READ_WRITE). A lock is between those who ask for it: it keeps nobody from touching
 * the memory. It needs no mapping, and counts as a reference.
 *
 * Locks are fair: nobody overtakes a waiting writer. The lock belongs to the calling thread, which
 * is granted it again at once, one level deeper, under the same token; a thread that reads may ask
 * to write and then waits for the other readers only. Each level is given back once, by any thread
 * of this client; all of them end with the client. While a thread waits, the client serves others.
 *
 * timeout_ms 0: do not wait; SNAKEPIT_SHM_FOREVER: for ever. SNAKEPIT_SHM_TIMEOUT: not granted in
 * time. SNAKEPIT_SHM_DEADLOCK: the wait would close a circle of waits and never end; the message
 * names it, and nothing was changed. A manager that is started again meanwhile changes nothing;
 * SNAKEPIT_SHM_NO_MANAGER: none came, or answered, in time. A token with
 * SNAKEPIT_SHM_TOKEN_INCONSISTENT set tells that the last writer died, or was made to go, in its
 * lock, so that the region may be half written: mend it, and giving a write lock back acknowledges
 * it. */
#define SNAKEPIT_SHM_FOREVER UINT32_MAX
#define SNAKEPIT_SHM_TOKEN_INCONSISTENT ((uint64_t)1 << 63)
#define SNAKEPIT_SHM_TOKEN_SUSPECT SNAKEPIT_SHM_TOKEN_INCONSISTENT /* an alias for one release */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock(snakepit_shm_client* client, const char* id,
                                                       snakepit_shm_access mode,
                                                       uint32_t timeout_ms, uint64_t* token);
/* A lock that is waited for in slices, for callers that have something to do between them, and
 * keeps its place in the queue meanwhile. snakepit_shm_lock_begin asks for it and gives a ticket of
 * this client's. owner 0: the lock belongs to the calling thread, which also has to wait for it;
 * else a number from 1 << 22 on, which stands for whoever asks, on whatever thread. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock_begin(snakepit_shm_client* client,
                                                             const char* id,
                                                             snakepit_shm_access mode,
                                                             uint32_t owner, uint64_t* ticket);
/* SNAKEPIT_SHM_OK: granted, with the token. SNAKEPIT_SHM_TIMEOUT: not yet, after timeout_ms, or
 * sooner when a signal handler has run on this thread; wait on. Anything else ends the wait. The
 * ticket is used up unless it is SNAKEPIT_SHM_TIMEOUT; SNAKEPIT_SHM_NOT_HELD: it was before. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock_wait(snakepit_shm_client* client,
                                                            uint64_t ticket, uint32_t timeout_ms,
                                                            uint64_t* token);
/* Gives the wait up, and the lock if it was granted meanwhile. SNAKEPIT_SHM_NO_MANAGER: no manager
 * answered; the next one that this client reaches is told. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_cancel(snakepit_shm_client* client,
                                                         uint64_t ticket);
/* SNAKEPIT_SHM_NOT_HELD when this client has no lock on the region with this token.
 * SNAKEPIT_SHM_NO_MANAGER: no manager answered. The lock counts as given back all the same: the
 * manager that this client reaches next is told, before anything else is asked of it. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_unlock(snakepit_shm_client* client,
                                                         const char* id, uint64_t token);
/* Names this client for people; NULL leaves a name as it is. */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_announce(snakepit_shm_client* client,
                                                           const char* worker, const char* pool,
                                                           const char* session);
/* Requests this client has sent to the manager: shows which calls needed none. */
SNAKEPIT_SHM_API uint64_t snakepit_shm_round_trips(const snakepit_shm_client* client);

/* The calling thread's last error as a sentence with a remedy; "" if there was none. Valid until
 * the thread's next call. */
SNAKEPIT_SHM_API const char* snakepit_shm_last_error(void);
/* "region_not_found" and so on; never NULL. */
SNAKEPIT_SHM_API const char* snakepit_shm_status_name(snakepit_shm_status status);

#ifdef __cplusplus
}
#endif

#endif
