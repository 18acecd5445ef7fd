// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace snakepit::shm {

// X(name, number), with the meaning of EventEntry's `count`, `value` and `text`.
#define SNAKEPIT_SHM_EVENT_KINDS(X)                                                                \
    X(manager_started, 1) /* count: clients adopted, value: regions adopted */                     \
    X(manager_stopped, 2)                                                                          \
    X(client_connected, 3)    /* text: process; count: bytes of real and saved ids after it */     \
    X(client_resumed, 4)      /* text: process */                                                  \
    X(client_disconnected, 5) /* text: process; running, but disconnected */                       \
    X(client_gone, 6)         /* text: process; count: references it held */                       \
    X(allocated, 7)           /* count: allocated_count.h, value: bytes, text: process, name */    \
    X(mapped, 8)              /* first grant to this client; count: 1 if read-write */             \
    X(withdrawn, 9)           /* deallocated and still held; count: references */                  \
    X(freed, 10)              /* value: bytes, text: reason */                                     \
    X(quarantined, 11)        /* value: bytes, text: reason */                                     \
    X(restored, 12)           /* text: process */                                                  \
    X(references, 13)         /* who holds; count: references, value: holders, text: packed, */    \
                              /* see events/holder_list.h */                                       \
    X(owner_gone, 14)         /* count: OwnerEnd, text: cleanup policy */                          \
    X(refused, 15)            /* result: why, text: operation and reason, ": " between */          \
    X(allocation_failed, 16)  /* result: why, value: bytes */                                      \
    X(cleanup, 17)            /* count: regions removed, value: bytes, text: scope */              \
    X(config_loaded, 18)      /* text: file */                                                     \
    X(config_refused, 19)     /* text: file and reason */                                          \
    X(leftover_removed, 20)   /* value: bytes, text: name */                                       \
    X(damaged, 21)            /* text: what failed */                                              \
    X(registry_reset, 22)     /* text: why, and where the old file is */                           \
    X(database_reopened, 23)  /* text: why */                                                      \
    X(gap, 24)                /* count: events lost before they could be recorded */               \
    X(client_hostile, 25)     /* text: what it did */                                              \
    X(leftover_kept, 26)      /* value: bytes, text: name and why */                               \
    X(deadlock, 27)           /* a lock was refused; text: the cycle */                            \
    X(lock_broken, 28)        /* a writer died in its lock; text: process */                       \
    X(lock_acknowledged, 29)  /* consistent again, after a write lock; text: process */            \
    X(lock_timed_out, 30)     /* text: process that waited */                                      \
    X(lock_forced, 31)        /* revoked by an administrator; text: holder */                      \
    X(moved, 32)              /* value: bytes, text: why */                                        \
    X(sealed, 33)             /* value: bytes */                                                   \
    X(seal_pending, 34)       /* count: references that delay it */                                \
    X(arena_created, 35)      /* value: bytes, text: name */                                       \
    X(arena_returned, 36)     /* value: bytes, text: name */                                       \
    X(durable_restored, 37)   /* value: bytes */                                                   \
    X(memory_returned, 38)    /* value: bytes returned to the system, text: why */                 \
    X(cleanup_failed, 39)     /* result: why, value: bytes, text: what failed */                   \
    X(more_refused, 49)       /* count: refusals of a user without their own event */              \
    X(policy_changed, 50)     /* text: a summary of the new policy */                              \
    X(policy_unreadable, 51)  /* result: why, text: what failed */                                 \
    X(keeper_found, 60)       /* keeps memory without a name; count: descriptors, text: who */     \
    X(not_kept, 61)           /* count: segments that end with the manager, text: why */           \
    X(key_rotated, 70)        /* count: the new key's version, text: process */                    \
    X(rows_missing, 40)       /* count: missing rows, value: the last signed one */                \
    X(audit_broken, 41)       /* text: how the signed history was changed */                       \
    X(events_removed, 42)     /* by retention; count: rows, value: the last one */                 \
    X(accessed, 43)           /* an audited region is mapped; count: 1 if read-write */            \
    X(access_ended, 44)       /* a client's last reference was released; text: process */          \
    X(alert_fired, 75)        /* value: its number, text: rule and subject */                      \
    X(alert_resolved, 76)     /* as before; count: how often it fired */                           \
    X(alert_acknowledged, 77) /* value: its number, text: rule and subject */                      \
    X(alert_silenced, 78)     /* value: the silence's number, text: rule and subject, or all */    \
    X(alert_unsilenced, 79)   /* value: the silence's number, text: the same */                    \
    X(alert_rule_changed, 80) /* text: its name and the change */                                  \
    X(alert_hook_failed, 81)  /* notifications fail; text: which, and why */                       \
    X(alert_hook_mended, 82)  /* count: lost notifications, text: which */                         \
    X(alerts_skipped, 83)     /* count: events not evaluated by rules */                           \
    X(health_problem, 90)     /* text: the new problem */                                          \
    X(health_mended, 91)      /* text: the problem that ended */                                   \
    X(telemetry_failed, 95)   /* text: what fails, and why */                                      \
    X(telemetry_works, 96)    /* text: what works again */                                         \
    X(clock_stepped, 108)     /* the wall clock was set; value: by microseconds, text: where to */ \
    X(arena_damaged, 111)     /* count: regions in it, value: bytes lost, text: name and what */   \
    X(socket_restored, 112)   /* the control socket was bound again; text: why */                  \
    X(transient, 113)         /* from a stash, and already freed; count: regions, value: bytes, */ \
                              /* text: microseconds since 1970 UTC before which none was */

enum class EventKind : std::uint16_t {
#define X(name, number) name = number,
    SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
};

std::string_view to_string(EventKind kind);
std::optional<EventKind> parse_event_kind(std::string_view name);

}  // namespace snakepit::shm
