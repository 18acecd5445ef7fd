/* SPDX-License-Identifier: MIT */
/**
 * @file
 * @brief Snakepit SHM, C interface: share memory between processes through the manager of this
 * host.
 *
 * Link libsnakepit_shm (pkg-config: snakepit-shm). The header needs C99 or C++; no other header of
 * the project.
 *
 * **Errors.** A function that returns a snakepit_shm_status returns #SNAKEPIT_SHM_OK (0) or the
 * reason of its failure. snakepit_shm_last_error() then has a sentence with the cause and a remedy,
 * for the calling thread. Every function that takes a client may also return:
 *   - #SNAKEPIT_SHM_INVALID_ARGUMENT: a required argument is NULL, or the handle is not a client;
 *   - #SNAKEPIT_SHM_INVALID_REGION_ID: the text is neither a region's id nor a name;
 *   - #SNAKEPIT_SHM_CLIENT_CLOSED: the client was closed, perhaps during the call;
 *   - #SNAKEPIT_SHM_FORKED: the client was connected before fork() (see below);
 *   - #SNAKEPIT_SHM_NO_MANAGER: no manager runs, or it did not respond before the deadline;
 *   - #SNAKEPIT_SHM_REGISTRY_LOST: the manager that answers has another registry, for example after
 *     a reboot; connect again;
 *   - #SNAKEPIT_SHM_PROTOCOL_ERROR or #SNAKEPIT_SHM_PLATFORM_ERROR: an unexpected answer, or the
 *     system refused something; the sentence has the details.
 *
 * The functions below list only the errors that are specific to them.
 *
 * **Threads.** Every function may be called from any thread, on the same client too. Do not call
 * them from a signal handler.
 *
 * **Lifetimes.** A client lives until snakepit_shm_disconnect(). Any thread may close or disconnect
 * it at any time, whatever other threads do. Calls that run in it then end within 100 milliseconds,
 * most of them with #SNAKEPIT_SHM_CLIENT_CLOSED; every later call with the handle fails in the same
 * way. A handle is never used again for another client. A large copy that has begun is finished
 * first.
 *
 * **fork().** A child inherits the mapped regions at their addresses, with references of its own,
 * which end with it; so arrays in them stay usable, whatever the parent does. For that fork() waits
 * until the child has its references: usually a few milliseconds, at most 10 seconds. A
 * region that the child cannot get, because no manager responds within 2 seconds or the region is
 * being deallocated, is inaccessible in the child: touching it ends the child with SIGSEGV. The
 * same applies to private copies of encrypted regions, and to all regions in children that were
 * created without the handlers of pthread_atfork(). A child inherits no connection and no lock. It
 * can snakepit_shm_unmap() what it inherited, and snakepit_shm_disconnect() releases all of it;
 * every other call with the parent's client fails there with #SNAKEPIT_SHM_FORKED. To allocate, map
 * or lock, the child connects for itself.
 *
 * **Deadlines.** Each call has one deadline, measured from its beginning. It covers calls of other
 * threads that have to end first, connecting to a manager that was restarted, waiting, and the
 * answer. It is the call's own timeout if it has one, else what the client was connected with. A
 * manager that runs gets at least 100 milliseconds to answer. Signals neither end a call nor
 * prolong it.
 *
 * **Names.** A region may be given a name when it is allocated. Every function that takes a
 * region's id takes its name too, at the cost of one more request to the manager. A name has at
 * most 255 bytes of UTF-8, no control character and no '/', and does not begin with "shm_", '-' or
 * '~'. It belongs to one region of a user at a time: from the allocation until the region is
 * withdrawn, also while processes still hold the memory, or, from quarantine, until it is freed.
 * "NAME" is a region of the calling user; "USER/NAME", with a user's name or number, one of another
 * user, if the region's policy lets the caller see it.
 *
 * **Waiting.** These never wait: snakepit_shm_map_cached(), snakepit_shm_event_fd(),
 * snakepit_shm_round_trips(), snakepit_shm_last_error(), snakepit_shm_status_name(),
 * snakepit_shm_status_type(), snakepit_shm_version(). The table is
 * about the others; "asks": a request to the manager, which takes some 10 microseconds, and at most
 * the call's deadline when none responds.
 *
 *     function                           asks the manager                   may block longer
 *     map                                first use; encrypted, audited      encrypted: its lock
 *     unmap                              encrypted                          encrypted: its lock
 *     notify                             first use; audited                 no
 *     wait                               first use; audited                 its timeout
 *     lock, lock_wait                    first use; if others want it       their timeout
 *     lock_begin, wait_begin, next_event yes, at most about 100 ms          no
 *     cancel, unlock                     if others want it                  no
 *     flush, refresh, rotate_key         encrypted                          the region's lock
 *     read, write                        as map                             encrypted: its lock
 *     connect                            yes                                a restarted manager
 *     close, disconnect                  no                                 running calls: 100 ms
 *     all others                         yes                                no
 *
 * **Structures.** A structure whose first member is `struct_size` may grow in later versions. Set
 * `struct_size` to `sizeof` of the structure; the library reads and writes no more than that.
 */
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

/** Bytes for a region's id and its terminating zero. */
#define SNAKEPIT_SHM_ID_SIZE 64

/** A connection to a manager. Opaque; see snakepit_shm_connect(). */
typedef struct snakepit_shm_client snakepit_shm_client;

/** Result of a call. The numbers never change; snakepit_shm_status_name() gives the names that the
 * command line prints as "code". The manual's page "errors" lists causes and remedies. */
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
    SNAKEPIT_SHM_CLIENT_CLOSED = 36,
    SNAKEPIT_SHM_AUDIT_UNAVAILABLE = 40,
    SNAKEPIT_SHM_POLICY_INVALID = 45,
    SNAKEPIT_SHM_ENCRYPTION_REQUIRED = 46,
    SNAKEPIT_SHM_NAME_IN_USE = 47,
    SNAKEPIT_SHM_NOT_CACHED = 50,
    SNAKEPIT_SHM_NO_EVENT = 51,
    SNAKEPIT_SHM_PRODUCER_GONE = 52,
    SNAKEPIT_SHM_RING_CLOSED = 53,
    SNAKEPIT_SHM_TELEMETRY_UNAVAILABLE = 65
} snakepit_shm_status;

/** How a region is mapped, and how it is locked: shared with other readers, or exclusively. */
typedef enum snakepit_shm_access {
    SNAKEPIT_SHM_READ_ONLY = 0,
    SNAKEPIT_SHM_READ_WRITE = 1
} snakepit_shm_access;
/** What the owner, the owner's group or all other users may do with a region. */
typedef enum snakepit_shm_permission {
    SNAKEPIT_SHM_PERMIT_NONE = 0,
    SNAKEPIT_SHM_PERMIT_READ_ONLY = 1,
    SNAKEPIT_SHM_PERMIT_READ_WRITE = 2
} snakepit_shm_permission;
/** Whether a region is encrypted in shared memory; see snakepit_shm_flush(). */
typedef enum snakepit_shm_security {
    SNAKEPIT_SHM_SECURITY_DEFAULT = -1, /**< what the configuration says */
    SNAKEPIT_SHM_STANDARD = 0,          /**< not encrypted */
    SNAKEPIT_SHM_HIGH = 1,              /**< encrypted (AES-256-GCM) */
    SNAKEPIT_SHM_MAXIMUM = 2            /**< encrypted, and each version signed by its writer */
} snakepit_shm_security;
/** When a region is freed without snakepit_shm_deallocate(). A region that a process holds is never
 * freed. `grace_period` is 5 seconds unless configured otherwise. */
typedef enum snakepit_shm_cleanup_policy {
    /** grace_period after both its owner has exited and the last reference was released, unless
     * its `owner_end` says otherwise; also when it was unused for its timeout. */
    SNAKEPIT_SHM_AUTOMATIC = 0,
    /** Never: it stays until it is deallocated or cleaned up by request. */
    SNAKEPIT_SHM_MANUAL = 1,
    /** grace_period after the last reference was released, whether its owner runs or not. */
    SNAKEPIT_SHM_REFERENCE_COUNTED = 2
} snakepit_shm_cleanup_policy;
/** What the end of the process that allocated a region means for the region. */
typedef enum snakepit_shm_owner_end {
    /** #SNAKEPIT_SHM_OWNER_END_KEEP with the cleanup policy #SNAKEPIT_SHM_MANUAL, else
     * #SNAKEPIT_SHM_OWNER_END_GRACE. */
    SNAKEPIT_SHM_OWNER_END_DEFAULT = 0,
    /** Nothing: it ends as its cleanup policy and its timeout say. */
    SNAKEPIT_SHM_OWNER_END_KEEP = 1,
    /** It is freed when no process has held it for grace_period. */
    SNAKEPIT_SHM_OWNER_END_GRACE = 2,
    /** It is withdrawn at once, as by snakepit_shm_deallocate(): no process finds or maps it any
     * more, its name is free, and its memory is freed with the last reference. */
    SNAKEPIT_SHM_OWNER_END_WITHDRAW = 3
} snakepit_shm_owner_end;
/** Where a region's memory lies. */
typedef enum snakepit_shm_placement {
    SNAKEPIT_SHM_PLACE_AUTOMATIC = 0, /**< the manager chooses by size and permissions */
    SNAKEPIT_SHM_PLACE_POOLED = 1,    /**< in an arena, with other regions of the same user */
    SNAKEPIT_SHM_PLACE_DEDICATED = 2  /**< in a segment of its own */
} snakepit_shm_placement;

/** Options of snakepit_shm_allocate(). Start from #SNAKEPIT_SHM_OPTIONS_INIT. */
typedef struct snakepit_shm_options {
    size_t struct_size; /**< sizeof(snakepit_shm_options) */
    int64_t timeout_ms; /**< unused for this long: freed; -1: the manager's default, 0: never */
    snakepit_shm_security security_level;
    snakepit_shm_access access_mode; /**< the most that other clients may map it with */
    snakepit_shm_cleanup_policy cleanup_policy;
    snakepit_shm_placement placement;
    snakepit_shm_permission owner, group, other;
    const char* metadata; /**< a JSON object, at most 1,000 bytes of UTF-8; NULL: none */
    bool owned_by_user;   /**< the user owns it, not this process: its exit makes no orphan */
    bool durable;         /**< kept in the state directory; survives a reboot; owned by the user */
    /** False: read-write for the owner and nothing for others stands for the configured default.
     * True: the permissions are used as they are. */
    bool exact_permissions;
    const char* name;                 /**< of the region, see "Names" above; NULL: none */
    snakepit_shm_owner_end owner_end; /**< of no effect with `owned_by_user` and `durable` */
    bool audit_access; /**< each access is recorded, and refused while it cannot be recorded */
} snakepit_shm_options;
/** The defaults: automatic cleanup, read-write for the owner only. */
#define SNAKEPIT_SHM_OPTIONS_INIT                                                                 \
    {                                                                                             \
        sizeof(snakepit_shm_options), -1, SNAKEPIT_SHM_SECURITY_DEFAULT, SNAKEPIT_SHM_READ_WRITE, \
            SNAKEPIT_SHM_AUTOMATIC, SNAKEPIT_SHM_PLACE_AUTOMATIC, SNAKEPIT_SHM_PERMIT_READ_WRITE, \
            SNAKEPIT_SHM_PERMIT_NONE, SNAKEPIT_SHM_PERMIT_NONE, NULL, false, false, false, NULL,  \
            SNAKEPIT_SHM_OWNER_END_DEFAULT, false                                                 \
    }

/** One reference to a region, and the memory. Valid until snakepit_shm_unmap() or the end of the
 * client. May be copied; unmap one of the copies. */
typedef struct snakepit_shm_mapping {
    void* data;           /**< page-aligned */
    uint64_t size;        /**< bytes, as requested at allocation */
    uint64_t reserved[4]; /**< for the library */
} snakepit_shm_mapping;

/** Bytes for a region's name and its terminating zero. */
#define SNAKEPIT_SHM_NAME_SIZE 256
/** Bytes for a region's metadata and its terminating zero. */
#define SNAKEPIT_SHM_METADATA_SIZE 1008
/** Holders of a region that snakepit_shm_region_info names; `holder_count` counts all. */
#define SNAKEPIT_SHM_NAMED_HOLDERS 64

/** What the manager knows about a region. Set `struct_size` before snakepit_shm_info(). Texts are
 * zero-terminated UTF-8, "" for none. */
typedef struct snakepit_shm_region_info {
    size_t struct_size; /**< sizeof(snakepit_shm_region_info) */
    char id[SNAKEPIT_SHM_ID_SIZE];
    uint64_t size;            /**< bytes, as requested */
    uint64_t actual_size;     /**< bytes that it takes, whole pages */
    int64_t created_at;       /**< microseconds since 1970 UTC */
    int64_t last_accessed;    /**< microseconds since 1970 UTC */
    uint64_t access_count;    /**< maps since it was allocated */
    uint64_t reference_count; /**< over all processes; a lock counts as one */
    int64_t owner_pid;        /**< process that allocated it, also after its exit */
    uint32_t owner_uid;
    snakepit_shm_security security_level;
    snakepit_shm_cleanup_policy cleanup_policy;
    snakepit_shm_access access_mode;
    int64_t timeout_ms;                /**< 0: never */
    char state[16];                    /**< "live", "orphan", "closing", "quarantined", ... */
    char name[SNAKEPIT_SHM_NAME_SIZE]; /**< see "Names" above */
    char metadata[SNAKEPIT_SHM_METADATA_SIZE]; /**< a JSON object */
    char session[32];       /**< of the process that allocated it, see snakepit_shm_announce() */
    char worker[32];        /**< the same */
    char owner_process[16]; /**< name of that process's program */
    snakepit_shm_permission owner, group, other;
    snakepit_shm_placement placement; /**< where its memory is: never automatic */
    snakepit_shm_owner_end owner_end; /**< never the default */
    bool sealed;                      /**< immutable, see snakepit_shm_seal() */
    bool durable;                     /**< survives a reboot */
    bool audit_access;                /**< each access is recorded */
    bool inconsistent;     /**< a writer died in its lock, see #SNAKEPIT_SHM_TOKEN_INCONSISTENT */
    bool has_policy;       /**< it has a policy beside its permissions */
    bool policy_in_effect; /**< false: the last policy takes effect when no process holds it */
    int64_t quarantined_until; /**< microseconds since 1970 UTC; 0: not in quarantine */
    uint64_t holder_count;     /**< processes that hold at least one reference */
    /** Process ids of the first holders, as the manager sees them; 0 behind the last. */
    int64_t holder_pids[SNAKEPIT_SHM_NAMED_HOLDERS];
} snakepit_shm_region_info;

/** Options of snakepit_shm_cleanup(). Regions that a process holds are never removed. */
typedef struct snakepit_shm_cleanup_options {
    size_t struct_size;  /**< sizeof(snakepit_shm_cleanup_options) */
    bool dry_run;        /**< count only, remove nothing */
    bool orphans;        /**< regions whose owner has exited */
    bool expired;        /**< regions unused for longer than their timeout */
    bool all_eligible;   /**< every region that no process holds, manual ones too */
    bool no_quarantine;  /**< free at once; it cannot be restored */
    const char* session; /**< only regions made in this session; NULL or empty: any */
    const char* worker;  /**< only regions made by this worker; NULL or empty: any */
} snakepit_shm_cleanup_options;

/** Result of snakepit_shm_cleanup(). */
typedef struct snakepit_shm_cleanup_result {
    uint64_t removed;     /**< regions freed or put in quarantine; in a dry run: that would be */
    uint64_t bytes_freed; /**< at once; quarantined regions are freed when quarantine ends */
} snakepit_shm_cleanup_result;

/**
 * @brief Connects to the manager of an instance and waits for it for at most 10 seconds.
 *
 * The same as snakepit_shm_connect_within() with 10,000 milliseconds.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_connect(const char* instance,
                                                          snakepit_shm_client** out);
/**
 * @brief Connects to the manager of an instance.
 *
 * The user's own manager is tried first, then the system's. With SNAKEPIT_SHM_AUTOSTART=1 in the
 * environment, a client that finds no manager starts `snakepit-shm serve`.
 *
 * @param instance  Name of the instance; NULL: $SNAKEPIT_SHM_INSTANCE, else "default".
 * @param wait_ms   Milliseconds that this call, and each later one of the client without a timeout
 *                  of its own, may wait for the manager. 0: only as long as a running manager needs
 *                  to answer. Where no manager was started, the call fails at once. Where one has
 *                  ended and its socket is still there, the next one is awaited for at most 5
 *                  seconds.
 * @param out       Receives the client; NULL after an error.
 * @retval SNAKEPIT_SHM_NO_MANAGER           No manager runs, or it did not respond in time.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED    The manager's socket does not admit this user.
 * @retval SNAKEPIT_SHM_VERSION_MISMATCH     Manager and library speak different protocols.
 * @retval SNAKEPIT_SHM_CLIENT_LIMIT_EXCEEDED  Too many clients of this user or in this process.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_connect_within(const char* instance,
                                                                 uint32_t wait_ms,
                                                                 snakepit_shm_client** out);
/**
 * @brief Ends every call that runs in this client and refuses new ones, with
 * #SNAKEPIT_SHM_CLIENT_CLOSED.
 *
 * For threads that have to stop before the client is disconnected. Mappings stay valid and keep
 * their references until they are unmapped or the client is disconnected; snakepit_shm_unmap(),
 * snakepit_shm_unlock(), snakepit_shm_lock_abandon() and snakepit_shm_cancel() still work. May be
 * called more than once.
 */
SNAKEPIT_SHM_API void snakepit_shm_close(snakepit_shm_client* client);
/**
 * @brief Closes the client, waits until no call runs in it, and releases its references and locks.
 *
 * Mappings become invalid: no thread may touch their memory afterwards. snakepit_shm_read(),
 * snakepit_shm_write() and snakepit_shm_flush() that have begun end safely. Changes in mappings of
 * encrypted regions that were not flushed are lost.
 *
 * @param client  NULL and a client that was disconnected before are allowed. If two threads
 *                disconnect the same client at once, only one of them waits. May be called in the
 *                callback of snakepit_shm_list().
 */
SNAKEPIT_SHM_API void snakepit_shm_disconnect(snakepit_shm_client* client);

/**
 * @brief Allocates a region. Its memory is zero and its pages are reserved, so that writing to it
 * cannot fail later.
 *
 * The region holds one reference of this client until snakepit_shm_deallocate() or the end of the
 * client. To use the memory, map it.
 *
 * Asks the manager, and may block, unless this client has allocated regions of this size with the
 * default options several times before: then memory that the manager granted ahead is used.
 *
 * @param client   The client.
 * @param size     Bytes, at least 1.
 * @param options  NULL: the defaults (#SNAKEPIT_SHM_OPTIONS_INIT). Not used after the call.
 * @param id       Receives the region's id, zero-terminated; valid in every process.
 * @retval SNAKEPIT_SHM_NAME_IN_USE                    Another region of this user has the name.
 * @retval SNAKEPIT_SHM_INVALID_SIZE                   `size` is 0.
 * @retval SNAKEPIT_SHM_SIZE_EXCEEDS_LIMIT             Larger than max_region_size.
 * @retval SNAKEPIT_SHM_REGION_LIMIT_EXCEEDED          max_regions regions exist.
 * @retval SNAKEPIT_SHM_PROCESS_REGION_LIMIT_EXCEEDED  This process has max_regions_per_process.
 * @retval SNAKEPIT_SHM_USER_LIMIT_EXCEEDED            The user's quota is used up.
 * @retval SNAKEPIT_SHM_MEMORY_LIMIT_EXCEEDED          max_total_memory would be exceeded.
 * @retval SNAKEPIT_SHM_NO_SPACE                       /dev/shm or a control group is full.
 * @retval SNAKEPIT_SHM_ALLOCATION_FAILED              Shared memory is disabled or was given up.
 * @retval SNAKEPIT_SHM_NOT_SUPPORTED                  These options exclude each other.
 * @retval SNAKEPIT_SHM_INVALID_ARGUMENT               The metadata is not a JSON object, or longer
 *                                                     than 1,000 bytes.
 * @retval SNAKEPIT_SHM_ENCRYPTION_REQUIRED            The default policy demands encryption.
 * @retval SNAKEPIT_SHM_AUDIT_UNAVAILABLE              The region is audited, and events cannot be
 *                                                     recorded.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_allocate(snakepit_shm_client* client,
                                                           uint64_t size,
                                                           const snakepit_shm_options* options,
                                                           char id[SNAKEPIT_SHM_ID_SIZE]);
/**
 * @brief Maps a region and acquires a reference.
 *
 * The first map of a region by a client asks the manager; later ones need no system call, except
 * for encrypted regions. The memory is the shared memory itself, or a private copy if the region is
 * encrypted (see snakepit_shm_flush()).
 *
 * @param client  The client.
 * @param id      The region's id.
 * @param access  #SNAKEPIT_SHM_READ_ONLY: writing to the memory ends the process with SIGSEGV.
 * @param out     Receives `data` and `size`.
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND      It does not exist, was deallocated, or is in
 * quarantine.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED     The region's policy does not allow it.
 * @retval SNAKEPIT_SHM_IS_READ_ONLY          Its access mode is read-only, or it is sealed. The
 * client that allocated it may write until then.
 * @retval SNAKEPIT_SHM_MAPPING_FAILED        Address space or mappings are used up.
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT       This client holds too many references to it.
 * @retval SNAKEPIT_SHM_CORRUPTION_DETECTED   The region is damaged.
 * @retval SNAKEPIT_SHM_NOT_SUPPORTED         Encrypted, and libsnakepit_shm_crypto.so is missing.
 * @retval SNAKEPIT_SHM_AUDIT_UNAVAILABLE     As for snakepit_shm_allocate().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_map(snakepit_shm_client* client, const char* id,
                                                      snakepit_shm_access access,
                                                      snakepit_shm_mapping* out);
/**
 * @brief Maps the region that has a name, or allocates it if there is none, in one step.
 *
 * Of several programs that open the same name at once, one allocates the region and all map it. The
 * mapping is the only reference; the program that allocated the region owns it.
 *
 * A region that exists must have the requested size and options: `access_mode`, `cleanup_policy`,
 * `durable` and `owned_by_user` always; `timeout_ms`, `security_level`, `placement`, `owner_end`,
 * `audit_access`, permissions and `metadata` unless they are left as in #SNAKEPIT_SHM_OPTIONS_INIT.
 *
 * @param client   The client.
 * @param name     Of a region of this user, see "Names" above.
 * @param size     Bytes, at least 1.
 * @param options  As for snakepit_shm_allocate(). NULL: the defaults. Its `name` is not used.
 * @param access   As for snakepit_shm_map().
 * @param out      Receives `data` and `size`.
 * @param created  Receives true if this call allocated the region; may be NULL.
 * @retval SNAKEPIT_SHM_NAME_IN_USE  The region has another size or other options; the sentence has
 * both values. Or it is in quarantine. Others as for snakepit_shm_allocate() and
 * snakepit_shm_map().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_open(snakepit_shm_client* client,
                                                       const char* name, uint64_t size,
                                                       const snakepit_shm_options* options,
                                                       snakepit_shm_access access,
                                                       snakepit_shm_mapping* out, bool* created);
/**
 * @brief The id of a mapped region, for example of one that was mapped by its name.
 *
 * @param client   The client that mapped it.
 * @param mapping  As filled in by snakepit_shm_map() or snakepit_shm_open().
 * @param id       Receives the region's id, zero-terminated.
 * @retval SNAKEPIT_SHM_NOT_HELD  It was released.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_mapping_id(snakepit_shm_client* client,
                                                             const snakepit_shm_mapping* mapping,
                                                             char id[SNAKEPIT_SHM_ID_SIZE]);
/**
 * @brief Maps a region as snakepit_shm_map() if that needs no request to the manager. Never blocks.
 *
 * A region that this client mapped before needs none, unless it is encrypted or audited, or the
 * manager has withdrawn its idle grant since. A region's name always needs one.
 *
 * @retval SNAKEPIT_SHM_NOT_CACHED       It needs a request: use snakepit_shm_map(), on a thread
 *                                       that may wait.
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT  This client holds too many references to it.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_map_cached(snakepit_shm_client* client,
                                                             const char* id,
                                                             snakepit_shm_access access,
                                                             snakepit_shm_mapping* out);
/**
 * @brief Releases the reference. Do not touch the memory afterwards.
 *
 * An encrypted region that was mapped for writing is flushed first. If that fails, the mapping is
 * released all the same and its changes are lost; call snakepit_shm_flush() before to be able to
 * try again. Works on a closed client too.
 *
 * @param client   The client that mapped it.
 * @param mapping  As filled in by snakepit_shm_map(); set to zero.
 * @retval SNAKEPIT_SHM_NOT_HELD  It was released before.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_unmap(snakepit_shm_client* client,
                                                        snakepit_shm_mapping* mapping);
/**
 * @brief Withdraws a region: no process can find or map it any more. Its memory is freed with the
 * last reference.
 *
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND   It does not exist. A region that is still held may be
 *                                         deallocated again.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  Only its user, and administrators, may do that.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_deallocate(snakepit_shm_client* client,
                                                             const char* id);
/**
 * @brief Finds the id of the region that has a name now.
 *
 * For programs that use the region more than once: by its id it is found without the manager, and
 * no other region can be meant.
 *
 * @param client  The client.
 * @param name    "NAME" or "USER/NAME"; an id is accepted and returned unchecked.
 * @param id      Receives the region's id, zero-terminated.
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND  No region has the name, or this user may not see it.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_resolve(snakepit_shm_client* client,
                                                          const char* name,
                                                          char id[SNAKEPIT_SHM_ID_SIZE]);
/**
 * @brief Describes a region.
 *
 * @param client  The client.
 * @param id      The region's id.
 * @param out     Set `out->struct_size` before the call.
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND   It does not exist.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  This user may not see it.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_info(snakepit_shm_client* client, const char* id,
                                                       snakepit_shm_region_info* out);
/**
 * @brief Makes a region immutable: at once, or as soon as its last reference is released.
 *
 * From the call on, no process is granted write access; one that has it keeps it until then. Unmap
 * it first: a mapping of this client is a reference, too.
 *
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND   It does not exist.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  Only its user, and administrators, may do that.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_seal(snakepit_shm_client* client, const char* id);
/**
 * @brief Copies bytes out of a region, all of them or none.
 *
 * @param client  The client.
 * @param id      The region's id.
 * @param offset  Bytes from the region's beginning.
 * @param buffer  Receives the bytes. An encrypted region may leave it changed after an error.
 * @param size    Bytes to copy; offset + size must not exceed the region.
 * @retval SNAKEPIT_SHM_INVALID_ARGUMENT  Not inside the region. Others as for snakepit_shm_map().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_read(snakepit_shm_client* client, const char* id,
                                                       uint64_t offset, void* buffer,
                                                       uint64_t size);
/**
 * @brief Copies bytes into a region, all of them or none. Arguments and errors as for
 * snakepit_shm_read().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_write(snakepit_shm_client* client, const char* id,
                                                        uint64_t offset, const void* buffer,
                                                        uint64_t size);

/**
 * @brief Writes the changes of an encrypted mapping to the region. Does nothing for other regions.
 *
 * Regions of level #SNAKEPIT_SHM_HIGH and above are encrypted in shared memory, in chunks of 64
 * KiB. A mapping is a private decrypted copy, excluded from core dumps and from forked children,
 * and locked in RAM up to RLIMIT_MEMLOCK. A writable mapping takes twice the region's size.
 *
 * Changes become the region's contents when they are flushed or unmapped, all of them at once:
 * whoever maps, reads or refreshes afterwards sees all of them. A program that ends before loses
 * its changes and damages nothing. If two programs change the same chunk between their flushes, the
 * later flush wins. A flush takes the region's lock, so it waits for the holders of one.
 * snakepit_shm_read() and snakepit_shm_write() decrypt, or encrypt, only the chunks they touch.
 * libsnakepit_shm_crypto.so is loaded when a program first uses such a region.
 *
 * @retval SNAKEPIT_SHM_NOT_HELD              The mapping was released.
 * @retval SNAKEPIT_SHM_TIMEOUT               The region's lock was not granted in time.
 * @retval SNAKEPIT_SHM_CORRUPTION_DETECTED   The shared memory does not hold what was written last.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_flush(snakepit_shm_client* client,
                                                        const snakepit_shm_mapping* mapping);
/**
 * @brief Updates an encrypted mapping with what other programs have flushed. Chunks that were
 * changed here and not flushed stay. Errors as for snakepit_shm_flush().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_refresh(snakepit_shm_client* client,
                                                          const snakepit_shm_mapping* mapping);
/**
 * @brief Encrypts the region again with a new key while programs use it. For its owner.
 *
 * @retval SNAKEPIT_SHM_INVALID_ARGUMENT   The region is not encrypted.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  Another user's region.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_rotate_key(snakepit_shm_client* client,
                                                             const char* id);
/** Called once for each region, on the thread that called snakepit_shm_list(). `region` is valid
 * during the call. May use any function, with the same client too. Return false to stop. */
typedef bool (*snakepit_shm_list_callback)(const snakepit_shm_region_info* region, void* context);
/**
 * @brief Lists the regions that this user may see, newest last.
 *
 * @param client    The client.
 * @param filter    As in `snakepit-shm list`, for example "size>1MiB state:orphan"; NULL: all.
 * @param callback  Called for each region.
 * @param context   Passed to the callback.
 * @retval SNAKEPIT_SHM_INVALID_ARGUMENT  The filter cannot be parsed.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_list(snakepit_shm_client* client,
                                                       const char* filter,
                                                       snakepit_shm_list_callback callback,
                                                       void* context);
/**
 * @brief Removes regions that no process holds.
 *
 * @param client   The client.
 * @param options  NULL: what is due by policy.
 * @param out      May be NULL.
 * @retval SNAKEPIT_SHM_CLEANUP_FAILED  Memory could not be removed; it is tried again.
 */
SNAKEPIT_SHM_API snakepit_shm_status
snakepit_shm_cleanup(snakepit_shm_client* client, const snakepit_shm_cleanup_options* options,
                     snakepit_shm_cleanup_result* out);

/** Wait without a limit. */
#define SNAKEPIT_SHM_FOREVER UINT32_MAX
/** The lowest owner that is not a thread; see snakepit_shm_lock_as(). */
#define SNAKEPIT_SHM_FIRST_OWNER ((uint32_t)1 << 22)
/** Set in a token when the last writer died, or its lock was taken from it, so that the region may
 * be half written (as EOWNERDEAD of a robust mutex). Repair the contents; releasing a write lock
 * then clears it. */
#define SNAKEPIT_SHM_TOKEN_INCONSISTENT ((uint64_t)1 << 63)
/** Former name, for one release. */
#define SNAKEPIT_SHM_TOKEN_SUSPECT SNAKEPIT_SHM_TOKEN_INCONSISTENT
/**
 * @brief Locks a region: shared with other readers, or exclusively.
 *
 * Locks are advisory: they bind the processes that use them and protect no memory. A lock needs no
 * mapping and counts as a reference. The first lock of a region is a request to the manager. From
 * then on this client locks and unlocks it without a request, as long as no other client and no
 * other owner of this client wants it at the same time; regions that are encrypted or audited, or
 * inconsistent at the moment, need a request each time.
 *
 * Locks are granted in the order of the requests, and a reader does not overtake a waiting writer.
 * A client that waited, while others still wait, may lock the region again and again for up to a
 * millisecond before it is the next one's turn: handing a lock over costs much more than taking
 * it. The lock belongs to the calling thread. The same thread may lock again, one level deeper,
 * with the same token; a thread that reads may request to write and then waits for the other
 * readers only. Each level is released once, by any thread of this client. All locks of a client
 * end with it. While one thread waits, other threads can use the client. A manager that is
 * restarted meanwhile keeps locks and queues.
 *
 * @param client      The client.
 * @param id          The region's id.
 * @param mode        #SNAKEPIT_SHM_READ_ONLY: shared. #SNAKEPIT_SHM_READ_WRITE: exclusive.
 * @param timeout_ms  Milliseconds; 0: do not wait; #SNAKEPIT_SHM_FOREVER.
 * @param token       Receives the token for snakepit_shm_unlock(). May contain
 *                    #SNAKEPIT_SHM_TOKEN_INCONSISTENT.
 * @retval SNAKEPIT_SHM_TIMEOUT            The manager responds, but did not grant the lock in time.
 * @retval SNAKEPIT_SHM_DEADLOCK           The wait would complete a cycle; the sentence lists it.
 *                                         Nothing was changed.
 * @retval SNAKEPIT_SHM_NO_MANAGER         No manager responded in time.
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND   It does not exist, or was deallocated meanwhile.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  The region's policy does not allow this mode.
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT    Too many levels or waiters.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock(snakepit_shm_client* client, const char* id,
                                                       snakepit_shm_access mode,
                                                       uint32_t timeout_ms, uint64_t* token);
/**
 * @brief Locks a region for an owner that is not a thread, such as a task of an event loop.
 *
 * As snakepit_shm_lock(), but the lock belongs to `owner` instead of the calling thread: any thread
 * of this client may lock again for the same owner, and deadlocks between owners are found. An
 * owner waits for one lock at a time: another request for it ends its earlier wait.
 *
 * @param client      The client.
 * @param id          The region's id.
 * @param mode        As for snakepit_shm_lock().
 * @param timeout_ms  As for snakepit_shm_lock().
 * @param owner       A number of at least #SNAKEPIT_SHM_FIRST_OWNER that the program chooses; other
 *                    clients may use the same one. 0: the calling thread.
 * @param token       As for snakepit_shm_lock().
 * @retval SNAKEPIT_SHM_INVALID_ARGUMENT  `owner` is between 1 and #SNAKEPIT_SHM_FIRST_OWNER - 1,
 *                                        where thread ids are. Others as for snakepit_shm_lock().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock_as(snakepit_shm_client* client,
                                                          const char* id, snakepit_shm_access mode,
                                                          uint32_t timeout_ms, uint32_t owner,
                                                          uint64_t* token);
/**
 * @brief Requests a lock that is awaited in slices; the request keeps its place in the queue.
 *
 * For callers that have other work between slices, such as an interpreter that handles signals.
 *
 * @param client  The client.
 * @param id      The region's id.
 * @param mode    As for snakepit_shm_lock().
 * @param owner   As for snakepit_shm_lock_as(); a thread also has to wait for its lock itself.
 * @param ticket  Receives a ticket, valid in this client until the wait ends.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock_begin(snakepit_shm_client* client,
                                                             const char* id,
                                                             snakepit_shm_access mode,
                                                             uint32_t owner, uint64_t* ticket);
/**
 * @brief Waits for a requested lock.
 *
 * @param client      The client.
 * @param ticket      From snakepit_shm_lock_begin(). Used up by every result but
 *                    #SNAKEPIT_SHM_TIMEOUT.
 * @param timeout_ms  Milliseconds.
 * @param token       As for snakepit_shm_lock().
 * @retval SNAKEPIT_SHM_TIMEOUT   Not granted yet, or a signal handler has run on this thread; call
 *                                again.
 * @retval SNAKEPIT_SHM_NOT_HELD  The ticket was used up. Others as for snakepit_shm_lock().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock_wait(snakepit_shm_client* client,
                                                            uint64_t ticket, uint32_t timeout_ms,
                                                            uint64_t* token);
/**
 * @brief Cancels a requested lock, and releases it if it was granted meanwhile. Works on a closed
 * client too.
 *
 * @retval SNAKEPIT_SHM_NOT_HELD    The ticket was used up: its event was returned by
 *                                  snakepit_shm_next_event(), or a thread waits with it. After any
 *                                  other result no event of it is returned.
 * @retval SNAKEPIT_SHM_NO_MANAGER  No manager responded; the next one that this client reaches is
 *                                  notified.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_cancel(snakepit_shm_client* client,
                                                         uint64_t ticket);
/**
 * @brief Releases one level of a lock, from any thread of the client. Works on a closed client too.
 *
 * @param client  The client that has the lock.
 * @param id      The region's id.
 * @param token   From snakepit_shm_lock() or snakepit_shm_lock_wait().
 * @retval SNAKEPIT_SHM_NOT_HELD    This client has no such lock; an operator may have released it.
 * @retval SNAKEPIT_SHM_NO_MANAGER  No manager responded. The lock counts as released: the manager
 *                                  that this client reaches next is notified before any other
 *                                  request.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_unlock(snakepit_shm_client* client,
                                                         const char* id, uint64_t token);
/**
 * @brief Releases a lock whose owner has ended, such as a task that was killed, while this program
 * goes on.
 *
 * As the end of the program would: all levels are released, and if the lock was exclusive the
 * region may be half written. Then the next one that locks it, in any program, gets a token with
 * #SNAKEPIT_SHM_TOKEN_INCONSISTENT. From any thread of the client. Works on a closed client too.
 *
 * @param client  The client that has the lock.
 * @param id      The region's id.
 * @param token   As for snakepit_shm_unlock().
 * @retval SNAKEPIT_SHM_NOT_HELD    As for snakepit_shm_unlock().
 * @retval SNAKEPIT_SHM_NO_MANAGER  As for snakepit_shm_unlock().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_lock_abandon(snakepit_shm_client* client,
                                                               const char* id, uint64_t token);
/**
 * @brief Wakes all who wait for a region: adds 1 to its counter.
 *
 * Each region has a counter, apart from its bytes, that every process may change that may map the
 * region, also read-only; sealed and encrypted regions have one, too. What was written to the
 * region before is seen by whoever then sees the counter. The first call for a region asks the
 * manager; later ones need no system call while no process waits, except for audited regions.
 *
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND   It does not exist, or was deallocated.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  The region's policy does not allow to read it.
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT    The user has too many regions, in segments of their own,
 *                                         that are waited for or notified.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_notify(snakepit_shm_client* client,
                                                         const char* id);
/**
 * @brief Waits until a region's counter is not `since` any more.
 *
 * Pass what an earlier call returned. For the first call, pass UINT64_MAX, a value that no counter
 * has: it returns at once, or when the manager answers if it must be asked. Then read the region.
 * The call may return without a change that matters: look, and wait again. It holds no reference,
 * so the region can end meanwhile. Works while the manager is restarted.
 *
 * @param client      The client.
 * @param id          The region's id.
 * @param since       The counter that was seen before.
 * @param timeout_ms  Milliseconds; 0: do not wait; #SNAKEPIT_SHM_FOREVER.
 * @param now         Receives the counter, also with #SNAKEPIT_SHM_TIMEOUT. May be NULL.
 * @retval SNAKEPIT_SHM_TIMEOUT            The counter is still `since`.
 * @retval SNAKEPIT_SHM_REGION_NOT_FOUND   It does not exist, or ended meanwhile: within 250
 *                                         milliseconds after that.
 * @retval SNAKEPIT_SHM_PERMISSION_DENIED  The region's policy does not allow to read it.
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT    As for snakepit_shm_notify().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_wait(snakepit_shm_client* client, const char* id,
                                                       uint64_t since, uint32_t timeout_ms,
                                                       uint64_t* now);

/** What an event is about. */
typedef enum snakepit_shm_event_kind {
    SNAKEPIT_SHM_EVENT_LOCK = 1,  /**< a request of snakepit_shm_lock_begin() */
    SNAKEPIT_SHM_EVENT_SIGNAL = 2 /**< a wait of snakepit_shm_wait_begin() */
} snakepit_shm_event_kind;
/** Something that was decided. Set `struct_size` before snakepit_shm_next_event(). */
typedef struct snakepit_shm_event {
    size_t struct_size; /**< sizeof(snakepit_shm_event) */
    snakepit_shm_event_kind kind;
    snakepit_shm_status status; /**< #SNAKEPIT_SHM_OK, or why the request or the wait ended */
    uint64_t ticket;            /**< which one it was; used up */
    uint64_t token;             /**< of a granted lock, for snakepit_shm_unlock(); else 0 */
    uint64_t now;               /**< of a signal: the region's counter */
    char id[SNAKEPIT_SHM_ID_SIZE];
} snakepit_shm_event;
/**
 * @brief Waits as snakepit_shm_wait(), but without a thread: returns at once, and an event tells
 * the end.
 *
 * @param client  The client.
 * @param id      The region's id.
 * @param since   The counter that was seen before. If the region has another by now, the event is
 *                there at once.
 * @param ticket  Receives a number for this wait, for snakepit_shm_next_event() and
 *                snakepit_shm_cancel().
 * @retval SNAKEPIT_SHM_REFERENCE_LIMIT  This client waits for 65,536 signals already. Others as for
 *                                       snakepit_shm_wait().
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_wait_begin(snakepit_shm_client* client,
                                                             const char* id, uint64_t since,
                                                             uint64_t* ticket);
/**
 * @brief A descriptor for poll(), epoll and event loops. It is readable while there may be an
 * event; call snakepit_shm_next_event() then. Do nothing else with it.
 *
 * One for each client, made by the first call; it stays the same, also when the manager is
 * restarted, and belongs to the client: take it out of your set before snakepit_shm_disconnect().
 * It is readable, until the events were taken (level-triggered), soon after a lock was granted or a
 * region was notified, and within 250 milliseconds if the notifying process was killed in the
 * middle of it. While no manager responds it becomes readable every 250 milliseconds, to try again.
 * A closed client's descriptor stays readable. It is closed in a forked child.
 *
 * @return The descriptor, or -1: snakepit_shm_last_error() has the reason.
 */
SNAKEPIT_SHM_API int snakepit_shm_event_fd(snakepit_shm_client* client);
/**
 * @brief Takes the next event: the end of a request of snakepit_shm_lock_begin() or of a wait of
 * snakepit_shm_wait_begin(). The ticket is used up.
 *
 * A lock that a thread waits for with snakepit_shm_lock_wait() makes no event. Asks the manager,
 * and waits at most about 100 milliseconds for its answer. A lock request ends with
 * #SNAKEPIT_SHM_NO_MANAGER in its event when no manager has responded for as long as this client
 * waits for one; a wait for a signal goes on.
 *
 * @param client  The client.
 * @param out     Set `out->struct_size` before the call.
 * @retval SNAKEPIT_SHM_NO_EVENT  There is none now.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_next_event(snakepit_shm_client* client,
                                                             snakepit_shm_event* out);
/**
 * @brief Names this process in lists, events and the monitor. NULL leaves a name as it is.
 *
 * @param client   The client.
 * @param worker   For example "loader-3".
 * @param pool     For example "loaders".
 * @param session  A label that regions allocated from now on carry.
 */
SNAKEPIT_SHM_API snakepit_shm_status snakepit_shm_announce(snakepit_shm_client* client,
                                                           const char* worker, const char* pool,
                                                           const char* session);
/**
 * @brief Requests that this client has sent to the manager. Shows which calls needed none.
 * @return The count; 0 if the client was closed.
 */
SNAKEPIT_SHM_API uint64_t snakepit_shm_round_trips(const snakepit_shm_client* client);

/**
 * @brief Whether snakepit_shm_unmap() of this mapping may block: an encrypted region is written
 * back under its lock. For destructors on threads that must not wait. Never blocks itself.
 */
SNAKEPIT_SHM_API bool snakepit_shm_unmap_blocks(const snakepit_shm_mapping* mapping);
/**
 * @brief The calling thread's last error: cause and remedy.
 * @return UTF-8; "" if the last call succeeded. Valid until the thread's next call; never NULL.
 */
SNAKEPIT_SHM_API const char* snakepit_shm_last_error(void);
/**
 * @brief The class of a status, which several statuses may share: "type" in the JSON output of the
 * command line. Thread-safe; needs no client.
 * @return "ok", "allocation_failed", "permission_denied", ...; "platform_error" for a number that
 * is not a status; static; never NULL.
 */
SNAKEPIT_SHM_API const char* snakepit_shm_status_type(snakepit_shm_status status);
/**
 * @brief The release of this library, such as "0.1.0".
 * @return Static; never NULL.
 */
SNAKEPIT_SHM_API const char* snakepit_shm_version(void);
/**
 * @brief The name of a status.
 * @return "ok", "region_not_found", ...; static; never NULL.
 */
SNAKEPIT_SHM_API const char* snakepit_shm_status_name(snakepit_shm_status status);

#ifdef __cplusplus
}
#endif

#endif
