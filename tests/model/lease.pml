/* SPDX-License-Identifier: MIT */
/*
 * The lease protocol: core/layout/lease_page.h on the client's side, ReferenceCounter and Service on
 * the manager's. One slot, reused for up to REGIONS regions; CLIENTS programs, one of which may be
 * killed; a manager that may be killed between any two of its steps, KILLS times.
 *
 * Checked: memory exists while a program holds a reference to it; a live slot has memory; when all
 * is quiet the words count what is held, a withdrawn region nobody holds is gone, and one that is
 * held takes nobody new; and nothing hangs (every process must reach its end).
 *
 * -D switches make the mistakes that the protocol avoids; each must be found:
 *   FORGET_GRANTS       what was granted is known only to the running manager
 *   WORD_BEFORE_RECORD  a grant writes the lease word first
 *   RECORD_BEFORE_WORD  a reclaim clears the record first
 *   MANAGER_COUNTS      a grant already counts as a reference
 *   ONE_PHASE           memory goes while the slot still says RETIRING
 *   READ_BEFORE_CLEAR   a sweep reads the words and clears the marks afterwards
 *   BLOCK_BEFORE_GROUP  a client sets its marks from the top down
 *   NO_EVALUATION       a restart waits for marks
 *   NEVER_CLOSED        a held region is withdrawn without closing the words
 *   NOT_CLOSED_AGAIN    ... without closing them again after a restart
 *   NO_MARKS            giving back leaves no mark
 *   LOST_ANSWER         a client does not ask again when its manager was replaced
 *
 * -DAUDITED: each access passes the manager. The last reference takes the grant with it, and the
 * manager takes back grants that are not used. Its mistake:
 *   ENDS_UNSEEN         a grant is forgotten because its client says so
 */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef OPS
#define OPS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef REGIONS
#define REGIONS 2
#endif

#ifndef EXPIRIES
#define EXPIRIES 0
#endif

mtype = { FREE, RESERVED, LIVE, RETIRING, FREEING };
mtype = { NOTHING, YES, NO };

/* Mapped files: they outlive every process. The registry's slot ... */
mtype slot = FREE;
byte gen = 0;
bit withdrawn = 0;
/* ... the grants file: the generation granted to each client, 0 for none ... */
byte record[CLIENTS];
bit buried[CLIENTS];
/* ... and the lease pages. */
typedef Word { byte gen; byte n; bit closing };
Word word[CLIENTS];
bit group[CLIENTS];
bit block[CLIENTS];

/* The operating system: memory of each region, processes, sockets. */
bit exists[REGIONS + 1];
bit dead[CLIENTS];
byte session = 0;
byte asking[CLIENTS];
mtype answer[CLIENTS] = NOTHING;
bit kill_manager = 0;

/* Only for the claims: what programs really hold, and who has come to an end. */
byte held[CLIENTS];
byte holds[CLIENTS];
bit done[CLIENTS];
bit killer_done = 0;

/* ------------------------------------------------------------------ client */

#define IF_DEAD(c) dead[c] -> goto gone

proctype Client(byte c)
{
    byte left = (c == 0 -> OPS : 1);
    byte want, asked;

    do
    :: left == 0 -> break
    :: else ->
        atomic { if :: IF_DEAD(c) :: else -> left--; want = gen fi };
        if :: want == 0 -> goto next :: else fi;
take:
        /* Load and compare-exchange are one step here: an exchange that succeeds found what was
           loaded, one that fails starts again. */
        atomic {
            if
            :: IF_DEAD(c)
            :: !dead[c] && (word[c].gen != want || word[c].n == 0) -> goto ask
            :: !dead[c] && word[c].gen == want && word[c].n > 0 && word[c].closing -> goto next
            :: !dead[c] && word[c].gen == want && word[c].n > 0 && !word[c].closing ->
                word[c].n++;
                held[c]++;
                holds[c] = want
            fi
        };
#ifdef TAKES_MARK
        atomic { if :: IF_DEAD(c) :: else -> group[c] = 1 fi };
        atomic { if :: IF_DEAD(c) :: else -> block[c] = 1 fi };
#endif
        atomic {
            if
            :: IF_DEAD(c)
            :: !dead[c] -> goto finished /* some programs never give back */
            :: !dead[c] ->
                assert(exists[want]);
                assert(word[c].gen == want && word[c].n >= 2);
#ifdef AUDITED
                if
                :: word[c].n == 2 -> word[c].n = 0; word[c].closing = 0
                :: else -> word[c].n--
                fi;
#else
                word[c].n--;
#endif
                held[c]--
            fi
        };
#ifndef NO_MARKS
#ifdef BLOCK_BEFORE_GROUP
        atomic { if :: IF_DEAD(c) :: else -> block[c] = 1 fi };
        atomic { if :: IF_DEAD(c) :: else -> group[c] = 1 fi };
#else
        atomic { if :: IF_DEAD(c) :: else -> group[c] = 1 fi };
        atomic { if :: IF_DEAD(c) :: else -> block[c] = 1 fi };
#endif
#endif
        goto next;
ask:
        atomic { if :: IF_DEAD(c) :: else -> asked = session; answer[c] = NOTHING; asking[c] = want fi };
        atomic {
            if
            :: IF_DEAD(c)
            :: !dead[c] && answer[c] == YES -> answer[c] = NOTHING; goto take
            :: !dead[c] && answer[c] == NO -> answer[c] = NOTHING; goto next
#ifndef LOST_ANSWER
            :: !dead[c] && answer[c] == NOTHING && session != asked -> goto ask
#endif
            fi
        };
next:
        skip
    od;
finished:
gone:
    done[c] = 1
}

/* ----------------------------------------------------------------- manager */

/* Which grants the manager knows of. */
#ifdef FORGET_GRANTS
byte remembered[CLIENTS];
#define KNOWN(c) (remembered[c] == gen)
#else
#define KNOWN(c) (record[c] == gen)
#endif

#define HELD(c) (KNOWN(c) && word[c].gen == gen && word[c].n >= 2)

inline write_record(c, g)
{
#ifdef FORGET_GRANTS
    remembered[c] = g
#else
    record[c] = g
#endif
}

/* A client that asks again may hold references already. */
inline write_word(c)
{
    d_step {
        if
        :: word[c].gen == gen && word[c].n >= 1 ->
#ifdef MANAGER_COUNTS
            word[c].n++
#else
            skip
#endif
        :: else ->
            word[c].gen = gen;
            word[c].closing = 0;
#ifdef MANAGER_COUNTS
            word[c].n = 2
#else
            word[c].n = 1
#endif
        fi
    }
}

inline close_words()
{
#ifndef NEVER_CLOSED
    c = 0;
    do
    :: c < CLIENTS ->
        d_step { if :: KNOWN(c) && word[c].gen == gen -> word[c].closing = 1 :: else fi };
        c++
    :: else -> break
    od
#else
    skip
#endif
}

inline reply(c, text)
{
    /* Nobody listens any more when the manager that took the question was killed. */
    d_step { if :: asking[c] != 0 -> asking[c] = 0; answer[c] = text :: else fi }
}

/* Nothing is left to be done, and nobody will do anything. */
#define QUIET(c) (done[c] && asking[c] == 0 && block[c] == 0 && (!dead[c] || buried[c]))
#if CLIENTS == 2
#define ALL_QUIET (QUIET(0) && QUIET(1))
#define NOBODY_HOLDS ((held[0] == 0 || dead[0]) && (held[1] == 0 || dead[1]))
#else
#define ALL_QUIET (QUIET(0) && QUIET(1) && QUIET(2))
#define NOBODY_HOLDS ((held[0] == 0 || dead[0]) && (held[1] == 0 || dead[1]) && (held[2] == 0 || dead[2]))
#endif

inline claims_when_quiet()
{
    assert(slot == LIVE || slot == FREE);
    assert(!(slot == LIVE && withdrawn && NOBODY_HOLDS));
    c = 0;
    do
    :: c < CLIENTS ->
        if
        :: !dead[c] && held[c] > 0 ->
            assert(slot == LIVE && holds[c] == gen && exists[gen]);
            assert(word[c].gen == gen && word[c].n == 1 + held[c]);
            assert(!withdrawn || word[c].closing)
        :: !dead[c] && held[c] == 0 ->
            assert(!(slot == LIVE && word[c].gen == gen && word[c].n > 1))
        :: else
        fi;
        c++
    :: else -> break
    od
}

byte evictions = 1;
byte expiries = EXPIRIES;

proctype Manager()
{
    byte c, who;
    bit all, marked;

life:
    {
        goto recover;

idle:
        skip;
        d_step { c = 0; who = 0; all = 0; marked = 0 };
        do
        :: asking[0] -> who = 0; goto grant
        :: asking[1] -> who = 1; goto grant
        :: dead[0] && !buried[0] -> who = 0; goto bury
        :: dead[1] && !buried[1] -> who = 1; goto bury
        :: block[0] -> who = 0; goto sweep
        :: block[1] -> who = 1; goto sweep
#if CLIENTS == 3
        :: asking[2] -> who = 2; goto grant
        :: dead[2] && !buried[2] -> who = 2; goto bury
        :: block[2] -> who = 2; goto sweep
#endif
        :: slot == FREE && gen < REGIONS -> goto allocate
        :: slot == LIVE && !withdrawn && evictions > 0 -> evictions--; goto deallocate
        :: slot == LIVE && !withdrawn && expiries > 0 -> expiries--; goto retire
        :: atomic { ALL_QUIET && killer_done -> claims_when_quiet(); goto rest }
        od;

grant:
        if
        :: slot == LIVE && !withdrawn && asking[who] == gen && !dead[who] ->
#ifdef WORD_BEFORE_RECORD
            write_word(who);
            write_record(who, gen);
#else
            write_record(who, gen);
            write_word(who);
#endif
            reply(who, YES)
        :: else ->
            reply(who, NO)
        fi;
        goto idle;

bury:
        write_record(who, 0);
        buried[who] = 1;
        goto evaluate;

sweep:
        skip;
#ifdef READ_BEFORE_CLEAR
        d_step { all = 1; c = 0; do :: c < CLIENTS -> all = all && !HELD(c); c++ :: else -> break od };
        block[who] = 0;
        group[who] = 0;
        if :: slot == LIVE && withdrawn && all -> goto retire :: else -> goto idle fi;
#else
        block[who] = 0;
        d_step { marked = group[who]; group[who] = 0 };
        if :: marked -> goto evaluate :: else -> goto idle fi;
#endif

allocate:
        atomic { gen++; slot = RESERVED };
        exists[gen] = 1;
        slot = LIVE;
        goto idle;

deallocate:
        withdrawn = 1;
        goto retire;

        /* RegionLifecycle::evaluate: what ends a region is seen here. Reads the words one by one. */
evaluate:
        if :: slot != LIVE -> goto idle :: else fi;
#ifdef AUDITED
        /* ReferenceCounter::end_grants */
        c = 0;
        do
        :: c < CLIENTS ->
            marked = 0;
            d_step {
                if
                :: KNOWN(c) && word[c].gen == gen && word[c].n == 1 -> word[c].n = 0; marked = 1
                :: KNOWN(c) && (word[c].gen != gen || word[c].n == 0) -> marked = 1
#ifdef ENDS_UNSEEN
                :: KNOWN(c) && word[c].gen == gen && word[c].n >= 2 -> marked = 1
#endif
                :: else
                fi
            };
            if :: marked -> write_record(c, 0) :: else fi;
            c++
        :: else -> break
        od;
#endif
        all = 1;
        c = 0;
        do
        :: c < CLIENTS -> all = all && !HELD(c); c++
        :: else -> break
        od;
        if
        :: !all && withdrawn -> close_words(); goto idle
        :: all && withdrawn -> goto retire
        :: else -> goto idle
        fi;

        /* RegionLifecycle::retire */
retire:
        slot = RETIRING;
        all = 1;
        c = 0;
        do
        :: c < CLIENTS ->
            if
            :: KNOWN(c) ->
#ifdef RECORD_BEFORE_WORD
                marked = (word[c].gen == gen && word[c].n >= 2);
                if :: !marked -> write_record(c, 0) :: else fi;
#endif
                d_step {
                    if
                    :: word[c].gen == gen && word[c].n >= 2 -> all = 0; marked = 1
                    :: word[c].gen == gen && word[c].n == 1 ->
                        word[c].n = 0;
                        word[c].closing = 0;
                        marked = 0
                    :: else -> marked = 0
                    fi
                };
                if :: !marked -> write_record(c, 0) :: else fi
            :: else
            fi;
            c++
        :: else -> break
        od;
        if
        :: all -> goto finish
        :: else ->
            slot = LIVE;
            if :: withdrawn -> close_words() :: else fi;
            goto idle
        fi;

        /* RegionLifecycle::free */
finish:
#ifndef ONE_PHASE
        slot = FREEING;
#endif
        exists[gen] = 0;
        d_step { slot = FREE; withdrawn = 0 };
        goto idle;

        /* Recovery; may be killed as well. */
recover:
        if :: session == 0 -> goto idle :: else fi;
        who = 0;
        do
        :: who < CLIENTS ->
            if
            :: dead[who] && !buried[who] -> write_record(who, 0); buried[who] = 1
            :: else
            fi;
            who++
        :: else -> break
        od;
        if
        :: slot == RESERVED -> exists[gen] = 0; slot = FREE; goto idle
        :: slot == FREEING -> goto finish
        :: slot == RETIRING -> slot = LIVE
        :: else
        fi;
        assert(slot != LIVE || exists[gen]);
#ifdef NO_EVALUATION
        goto idle;
#elif defined(NOT_CLOSED_AGAIN)
        if :: slot == LIVE && withdrawn && NOBODY_HOLDS -> goto retire :: else -> goto idle fi;
#else
        goto evaluate;
#endif
    } unless { kill_manager };

    d_step {
        kill_manager = 0;
        session++;
        c = 0;
        who = 0;
        all = 0;
        marked = 0;
        do
        :: c < CLIENTS ->
            asking[c] = 0;
#ifdef FORGET_GRANTS
            remembered[c] = 0;
#endif
            c++
        :: else -> break
        od;
        c = 0
    };
    goto life;
rest:
    skip
}

/* ----------------------------------------------------------------- killers */

/* The last client and the manager may be killed at any time. */
proctype Killer()
{
    byte left = KILLS;
    bit struck = 0;
    do
    :: left > 0 -> atomic { left--; kill_manager = 1 }; !kill_manager
    :: !struck -> atomic { struck = 1; dead[CLIENTS - 1] = 1 }
    :: break
    od;
    killer_done = 1
}

init {
    atomic {
        run Manager();
        run Client(0);
        run Client(1);
#if CLIENTS == 3
        run Client(2);
#endif
        run Killer()
    }
}
