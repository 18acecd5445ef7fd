/* SPDX-License-Identifier: MIT */
/*
 * A ring of SLOTS slots: producers that write FRAMES frames, one after the other (the next takes over
 * when the last one died), a consumer that joins at some time and may die or be dropped, and their
 * sleep and waking. Each producer but the last may be killed at any step; so may the consumer.
 * core/layout/frame_ring.h, core/client/frame_ring*.cpp.
 *
 * With -DOVERWRITE the producer never waits. Otherwise it waits for the consumer, and drops it when
 * it is dead.
 *
 * Asserted: a frame that a consumer takes for good is the one it looked for, whole; with
 * back-pressure none is lost; numbers are used once. Whatever happens, every process ends: who sleeps
 * is woken, except that after a death everybody looks again.
 *
 * -D switches make mistakes that must be found:
 *   NO_MARK        the cell is not marked while its frame is written
 *   NO_RECHECK     a consumer does not compare again after it has read
 *   NO_RECOVERY    a new producer believes the head: the last one died before it counted its frame
 *   JOIN_ONCE      a consumer does not look at the head again after its token was stored
 *   JOIN_SILENT    a consumer that has joined wakes no producer that waits for its first cursor
 *   IGNORE_FAR     a consumer that is further behind than it can be does not count
 *   CURSOR_FIRST   a consumer releases the slot before it has read it
 *   LOOK_FIRST     who is about to sleep looks before it stores its mark
 *   CLEAR_LATE     who wakes clears the mark after the notification
 *   SINCE_LATE     who is about to sleep reads the counter after it has looked
 *   NO_DROP        a dead consumer is waited for
 *   DROP_LIVING    a consumer is dropped without asking whether it lives
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef KILLS
#define KILLS 1
#endif

/* A frame has two parts, so that it can be torn; each holds the number of the frame plus 1. */
byte first[SLOTS], second[SLOTS];
byte cell[SLOTS]; /* 2P + 1: written, 2P + 2: complete */
byte head = 0;
bit token = 0; /* of the consumer */
byte cursor = 0;
byte counter = 0;               /* the region's signal */
bit readers_wait = 0, producer_waits = 0;
bit asleep_reader = 0, asleep_producer = 0;
byte since_reader = 0, since_producer = 0;

bit kill_producer = 0, kill_consumer = 0;
bit died = 0;        /* somebody: from now on sleepers look again */
bit consumer_lives = 1, ended = 0;
byte published = 0;  /* frames that any consumer could have read: their numbers are used up */

#ifdef NO_DROP
#define DROPS false
#else
#ifdef DROP_LIVING
#define DROPS true
#else
#define DROPS (!consumer_lives)
#endif
#endif

inline notify()
{
    atomic { counter++; asleep_reader = 0; asleep_producer = 0 }
}

inline wake(mark)
{
#ifdef CLEAR_LATE
    notify();
    mark = 0
#else
    mark = 0;
    notify()
#endif
}

/* The limit that the producer has computed: frames below it overwrite nothing that is needed. */
inline look_for_room()
{
#ifdef OVERWRITE
    limit = at + SLOTS;
#else
    if
    :: token && cursor + SLOTS > at -> limit = cursor + SLOTS
#ifdef IGNORE_FAR
    :: token && cursor + SLOTS == at -> limit = at
#else
    :: token && cursor + SLOTS <= at -> limit = at
#endif
    :: else -> limit = at + SLOTS
    fi;
#endif
}

proctype producer(bit last)
{
    byte at, limit, s;
    {
        at = head;
#ifndef NO_RECOVERY
        if
        :: cell[at % SLOTS] == 2 * at + 2 -> at++; head = at
        :: else
        fi;
#endif
        limit = at;
        do
        :: at >= FRAMES -> break
        :: at < FRAMES && at != limit ->
            s = at % SLOTS;
#ifndef NO_MARK
            cell[s] = 2 * at + 1;
#endif
            first[s] = at + 1;
            second[s] = at + 1;
            atomic {
                assert(at == published); /* each number once */
                cell[s] = 2 * at + 2;
                published = at + 1
            };
            at++;
            head = at;
            if
            :: readers_wait -> wake(readers_wait)
            :: else
            fi
        :: at < FRAMES && at == limit ->
            look_for_room();
            if
            :: at != limit
            :: else ->
#ifdef SINCE_LATE
                producer_waits = 1;
                look_for_room();
                since_producer = counter;
#else
#ifdef LOOK_FIRST
                since_producer = counter;
                look_for_room();
                producer_waits = 1;
#else
                since_producer = counter;
                producer_waits = 1;
                look_for_room();
#endif
#endif
                if
                :: at != limit
                :: else ->
                    atomic {
                        if
                        :: counter == since_producer -> asleep_producer = 1
                        :: else
                        fi
                    };
#ifdef DROP_LIVING
                    (asleep_producer == 0 || token);
#else
                    (asleep_producer == 0 || (died && (!token || cursor + SLOTS > at || DROPS)));
#endif
                    asleep_producer = 0;
                    if
                    :: DROPS && token && cursor + SLOTS <= at -> token = 0
                    :: else
                    fi
                fi
            fi
        od;
        ended = 1;
        wake(readers_wait);
        goto out
    } unless { atomic { kill_producer && !last -> kill_producer = 0; died = 1 } };
    run producer(1);
out:
    skip
}

proctype consumer()
{
    byte at = 0, a, b, s, h, lost = 0;
    {
        cursor = head;
        token = 1;
#ifdef JOIN_ONCE
        at = cursor;
#else
        at = head;
        cursor = at;
#endif
#ifndef JOIN_SILENT
        if
        :: producer_waits -> wake(producer_waits)
        :: else
        fi;
#endif
        do
        :: s = at % SLOTS;
            if
            :: cell[s] == 2 * at + 2 ->
#ifdef CURSOR_FIRST
                cursor = at + 1;
#endif
                a = first[s];
                b = second[s];
#ifndef NO_RECHECK
                if
                :: cell[s] == 2 * at + 2 ->
#endif
                    assert(a == at + 1 && b == at + 1);
                    at++;
                    cursor = at;
                    if
                    :: producer_waits -> wake(producer_waits)
                    :: else
                    fi
#ifndef NO_RECHECK
                :: else -> goto gone
                fi
#endif
            :: cell[s] > 2 * at + 2 ->
gone:
#ifdef OVERWRITE
                h = head;
                if
                :: h > at + 1 + SLOTS - 1 -> at = h - SLOTS + 1
                :: else -> at++
                fi;
                cursor = at
#else
                assert(false) /* a frame was lost */
#endif
            :: cell[s] < 2 * at + 2 && ended && at >= head -> break
            :: cell[s] < 2 * at + 2 && !(ended && at >= head) ->
#ifdef SINCE_LATE
                readers_wait = 1;
                h = cell[at % SLOTS];
                since_reader = counter;
#else
#ifdef LOOK_FIRST
                since_reader = counter;
                h = cell[at % SLOTS];
                readers_wait = 1;
#else
                since_reader = counter;
                readers_wait = 1;
                h = cell[at % SLOTS];
#endif
#endif
                if
                :: h >= 2 * at + 2 || ended
                :: else ->
                    atomic {
                        if
                        :: counter == since_reader -> asleep_reader = 1
                        :: else
                        fi
                    };
                    (asleep_reader == 0 || died);
                    asleep_reader = 0
                fi
            fi
        od;
        /* Leaves. */
        token = 0;
        wake(producer_waits);
        goto out
    } unless { atomic { kill_consumer -> died = 1; consumer_lives = 0 } };
out:
    skip
}

/* Kills at any time, or not at all. A producer that has ended is not killed any more. */
proctype killer()
{
    byte left = KILLS;
    do
    :: left > 0 -> left--; kill_producer = 1
    :: left > 0 && consumer_lives -> left--; kill_consumer = 1
    :: break
    od
}

init
{
    atomic {
        run producer(0);
        run consumer();
        run killer()
    }
}
