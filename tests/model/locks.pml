/* SPDX-License-Identifier: MIT */
/*
 * Synchronizer, LockTable and LockClient: one region, locked alone by CLIENTS programs, with kills of
 * the manager between any two stores and of a program at any time. The first program goes in two
 * levels deep, so that a request done twice shows.
 *
 * Checked: no two programs are inside; whoever enters after one died inside is told that the region
 * is inconsistent; when all is quiet nobody's lock is left; and nobody sleeps for ever. A sleeper wakes
 * when its word changed, or when the manager it asked is another one (its slices of sleep).
 *
 * -D switches make mistakes that must be found:
 *   GRANT_BEFORE_CLEAR   the next one's record is written before the last one's is cleared
 *   CLEAR_BEFORE_INCONSISTENT a dead writer's record is cleared before the region becomes inconsistent
 *   SEEN_AFTER           a client looks at its word after it was told to wait, and not before it asks
 *   NO_NUMBER            requests that are made again are not recognised
 *   TWO_STORES           depth and number are stored one after the other
 *   NO_ADVANCE           burying a holder grants nobody else
 */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define NOBODY 255

mtype = { nothing, lock, look, unlock, granted, queued, unknown, done };

/* The locks file and the control word: survive a kill. `depth` and `number` are one word. */
bit used[CLIENTS];
byte depth[CLIENTS], number[CLIENTS];
bit inconsistent = 0;

/* The lease pages. */
byte wake[CLIENTS];
bit dead[CLIENTS];

/* One request and one answer each; a kill closes the connections. */
mtype request[CLIENTS], answer[CLIENTS];
byte request_number[CLIENTS];
bit answer_inconsistent[CLIENTS];
byte era = 0; /* which manager it is */

/* The manager's memory. */
byte queue[CLIENTS], queue_number[CLIENTS];
byte length = 0;
bit decided[CLIENTS], buried[CLIENTS];

bit kill_manager = 0;

/* Only for the claims. */
byte inside = 0;
bit half_written = 0;
bit finished[CLIENTS];
byte deaths = DEATHS;

#define STEP if :: kill_manager -> goto killed :: else fi

inline forget_memory()
{
    d_step {
        length = 0; i = 0;
        do
        :: i < CLIENTS ->
            queue[i] = NOBODY; decided[i] = 0; buried[i] = 0;
            request[i] = nothing; i++
        :: else -> break
        od;
        i = 0; era++; kill_manager = 0
    }
}

inline find_holder(h)
{
    d_step {
        h = NOBODY; i = 0;
        do
        :: i < CLIENTS -> if :: used[i] -> h = i :: else fi; i++
        :: else -> break
        od;
        i = 0
    }
}

inline write_record(who, its_number)
{
    depth[who] = 1; number[who] = its_number;
    STEP;
    used[who] = 1
}

/* The head of the queue, if nobody has it. */
inline advance()
{
    find_holder(holder);
    if
    :: length > 0 && holder == NOBODY ->
        head = queue[0];
        write_record(head, queue_number[0]);
        STEP;
        leave_queue(head);
        decided[head] = 1;
        wake[head]++
    :: else
    fi
}

inline leave_queue(who)
{
    d_step {
        i = 0;
        do
        :: i < length && queue[i] != who -> i++
        :: else -> break
        od;
        if
        :: i < length ->
            do
            :: i + 1 < length -> queue[i] = queue[i + 1]; queue_number[i] = queue_number[i + 1]; i++
            :: else -> break
            od;
            length--
        :: else
        fi;
        i = 0
    }
}

inline in_queue(who, is)
{
    d_step {
        is = 0; i = 0;
        do
        :: i < length -> if :: queue[i] == who -> is = 1 :: else fi; i++
        :: else -> break
        od;
        i = 0
    }
}

inline reply(who, what)
{
    d_step { answer_inconsistent[who] = inconsistent; answer[who] = what; request[who] = nothing }
}

inline clear_record(who)
{
#ifdef GRANT_BEFORE_CLEAR
    if
    :: length > 0 -> head = queue[0]; write_record(head, queue_number[0]); STEP;
        leave_queue(head); decided[head] = 1; wake[head]++
    :: else
    fi;
    STEP;
#endif
    used[who] = 0;
    STEP
}

inline bury(who)
{
    leave_queue(who);
    decided[who] = 0;
    if
    :: used[who] ->
#ifdef CLEAR_BEFORE_INCONSISTENT
        clear_record(who);
        inconsistent = 1;
#else
        inconsistent = 1;
        STEP;
        clear_record(who);
#endif
    :: else
    fi;
    STEP;
#ifndef NO_ADVANCE
    advance();
#endif
    buried[who] = 1
}

inline set_levels(who, to, its_number)
{
#ifdef TWO_STORES
    depth[who] = to;
    STEP;
    number[who] = its_number
#else
    d_step { depth[who] = to; number[who] = its_number }
#endif
}

#ifdef NO_NUMBER
#define KNOWN(c) 0
#else
#define KNOWN(c) (number[c] == request_number[c])
#endif

inline serve_lock(c)
{
    find_holder(holder);
    in_queue(c, waits);
    if
    :: used[c] && KNOWN(c) -> leave_queue(c); decided[c] = 0; reply(c, granted)
    :: used[c] && !KNOWN(c) -> set_levels(c, depth[c] + 1, request_number[c]); STEP; reply(c, granted)
    :: !used[c] && waits -> reply(c, queued)
    :: !used[c] && !waits && holder == NOBODY && length == 0 ->
        write_record(c, request_number[c]); STEP; reply(c, granted)
    :: else ->
        d_step { queue[length] = c; queue_number[length] = request_number[c]; length++ };
        reply(c, queued)
    fi
}

inline serve_unlock(c)
{
    if
    :: !used[c] || KNOWN(c) -> skip /* done before; the answer was lost */
    :: used[c] && !KNOWN(c) && depth[c] > 1 -> set_levels(c, depth[c] - 1, request_number[c])
    :: else ->
        inconsistent = 0;
        STEP;
        clear_record(c);
        advance()
    fi;
    STEP;
    reply(c, done)
}

/* At most three clients. */
#define UNBURIED(n) (dead[n] && !buried[n])
#define DUE(n) (n < CLIENTS && (request[(n) % CLIENTS] != nothing || UNBURIED((n) % CLIENTS)))
#define QUIET(n) (n >= CLIENTS || (finished[(n) % CLIENTS] && !UNBURIED((n) % CLIENTS)))

inline serve(n)
{
    c = (n) % CLIENTS;
    if
    :: UNBURIED(c) -> request[c] = nothing; bury(c)
    :: !dead[c] && request[c] == lock -> serve_lock(c)
    :: !dead[c] && request[c] == look ->
        in_queue(c, waits);
        if
        :: decided[c] -> decided[c] = 0; reply(c, granted)
        :: !decided[c] && waits -> reply(c, queued)
        :: else -> reply(c, unknown)
        fi
    :: !dead[c] && request[c] == unlock -> serve_unlock(c)
    :: else -> request[c] = nothing
    fi
}

active proctype manager()
{
    byte c, i, holder, head;
    bit waits;
killed:
    forget_memory();
    c = 0;
    do
    :: c < CLIENTS -> if :: used[c] && dead[c] -> bury(c) :: else fi; STEP; c++
    :: else -> break
    od;
    do
    :: kill_manager -> goto killed
    :: DUE(0) -> serve(0)
    :: DUE(1) -> serve(1)
    :: DUE(2) -> serve(2)
    :: QUIET(0) && QUIET(1) && QUIET(2) -> break
    od;
    find_holder(holder);
    assert(holder == NOBODY);
    assert(!half_written || inconsistent)
}

/* Whatever it is doing, it may die. */
#define MORTAL \
    if \
    :: deaths > 0 -> atomic { deaths--; dead[me] = 1; \
        if :: is_inside -> inside--; half_written = 1 :: else fi; goto gone } \
    :: true \
    fi

/* Asks until it is answered, by whichever manager. */
inline ask(what)
{
    do
    :: d_step { answer[me] = nothing; request[me] = what; request_number[me] = mine; asked = era };
        if
        :: answer[me] != nothing -> break
        :: answer[me] == nothing && era != asked
        fi
    od
}

inline take()
{
    mine++;
    seen = wake[me];
    ask(lock);
    do
    :: answer[me] == granted -> break
    :: answer[me] == unknown -> seen = wake[me]; ask(lock)
    :: answer[me] == queued ->
#ifdef SEEN_AFTER
        seen = wake[me];
#endif
        MORTAL;
        (wake[me] != seen || era != asked);
        seen = wake[me];
        ask(look)
    od
}

proctype client(byte me)
{
    byte round = 0, mine = 0, seen, asked;
    bit is_inside = 0;
    do
    :: round < ROUNDS ->
        MORTAL;
        take();
        MORTAL;
        atomic {
            assert(inside == 0);
            assert(!half_written || answer_inconsistent[me]);
            inside++; is_inside = 1
        }
        MORTAL;
        if
        :: me == 0 -> take(); MORTAL; mine++; ask(unlock); MORTAL
        :: else
        fi;
        atomic { inside--; is_inside = 0; half_written = 0 }
        MORTAL;
        mine++;
        ask(unlock);
        round++
    :: else -> break
    od;
gone:
    finished[me] = 1
}

active proctype killer()
{
    byte kills = 0;
    do
    :: kills < KILLS -> kill_manager = 1; kills++;
end_too_late: /* the manager may have come to its own end */
        !kill_manager
    :: true -> break
    od
}

init {
    byte n = 0;
    atomic {
        do
        :: n < CLIENTS -> request[n] = nothing; answer[n] = nothing; run client(n); n++
        :: else -> break
        od
    }
}
