/* SPDX-License-Identifier: MIT */
/*
 * A slot that its client turns into one region after the other without asking: core/layout/lease_page.h,
 * core/client/stash.h, core/regions/region_stash.h, core/registry/reference_stash.cpp, core/regions/recovery.cpp.
 * Client 0 has the slot in its stash; its second thread maps what the first allocated (-DTWO_THREADS). Client 1
 * asks for ids, takes references and writes. The slot's memory is given back before it is offered, and its client takes
 * the pages (`hollow`). The manager may be killed between any two stores, either client at
 * any time.
 *
 * Checked: no memory is given out again while somebody uses it, and none with another client's bytes; an id that
 * was freed before somebody asks for it is not found, one that lives is; every region that was allocated is
 * recorded exactly once, by an event of its own or in a sum, whoever is killed; nobody waits for ever.
 *
 * -D switches make mistakes that must be found:
 *   BLIND_PUBLISH     the manager stores the word that it read instead of comparing
 *   PUBLISH_LAST      the region is LIVE before its client's word says so
 *   FREE_PUBLISHED    the client frees a region as its own that the manager published
 *   SAME_GENERATION   the next region gets the generation, and so the id, of the last
 *   BLIND_RECLAIM     the manager takes an idle slot back without comparing
 *   WORD_FIRST        the client's word is there before the slot is STASHED
 *   NO_LOOK           an id is answered for without a look at the word
 *   SUM_APART         the sum is recorded, and then the generation up to which it counts
 *   SUM_LATE          the sum is recorded when the region is LIVE already
 *   BURY_FORGETS      a dead client's page is dropped without a look
 *   RESTART_FORGETS   a new manager undoes what is STASHED
 *   NOT_ZEROED        what is given out is as the last region left it
 *   NO_FILL           others are granted what its client was to take, without a look at the pages; only found with
 *   CLAIM_HOLLOW      a client that does not take them: no mistake of the manager's
 */
#ifndef OPS
#define OPS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define GENS 4
#define ALIEN 2

mtype = { FREE, RESERVED, STASHED, LIVE };
mtype = { nothing, find, dealloc, yes, no };

/* Registry: the control word, and what an event commits with it. */
mtype state = FREE;
byte gen = 0;
bit withdrawn = 0;
byte created[GENS + 2], summed[GENS + 2];

/* Grants file. */
bit record0 = 0, record1 = 0;

/* Lease pages. */
byte g0 = 0, n0 = 0, g1 = 0, n1 = 0;
bit own0 = 0;

/* Requests; a kill closes the connections. */
mtype request[2], answer[2];
byte wanted[2], era = 0;

bit kill_manager = 0;
bit offered = 0; /* what client 0 was told */

/* Only for the claims. */
byte dirt = 0, deaths = DEATHS;
bit hollow = 0; /* pages are missing */
byte using0 = 0, using1 = 0;
bit allocated[GENS + 2], freeing[GENS + 2], freed[GENS + 2];
bit dead0 = 0, dead1 = 0, buried0 = 0, buried1 = 0, done0 = 0, done0b = 1, done1 = 0;
byte current = 0; /* what client 0's threads know of each other */

#define STEP if :: kill_manager -> goto killed :: else fi

/* ----------------------------------------------------------------- manager */

/* What was allocated and freed since the last look, up to `l_gen`, together with the control word. */
inline sum_up()
{
    if
    :: l_gen > gen && l_gen <= GENS + 1 ->
#ifdef SUM_APART
        d_step { i = gen; do :: i < l_gen -> summed[i]++; i++ :: else -> break od; i = 0 };
        STEP;
        gen = l_gen;
#else
        d_step { i = gen; do :: i < l_gen -> summed[i]++; i++ :: else -> break od; i = 0; gen = l_gen };
#endif
        STEP
    :: else
    fi
}

inline take_back()
{
    record0 = 0;
    STEP;
    state = RESERVED;
    STEP;
    state = FREE;
    STEP
}

/* The slot is STASHED. `reclaim`: it is taken back if it is idle. Afterwards it is LIVE, FREE or idle. */
inline look(reclaim)
{
    do
    :: state == STASHED ->
        d_step { l_gen = g0; l_n = n0; l_own = own0 };
        STEP;
        if
        :: l_own && l_n > 0 -> /* claimed */
#ifndef SUM_LATE
            sum_up();
#endif
#ifndef NO_FILL
            hollow = 0;
            STEP;
#endif
#ifdef PUBLISH_LAST
            d_step { created[l_gen]++; state = LIVE; gen = l_gen };
            STEP;
#endif
#ifdef BLIND_PUBLISH
            d_step { g0 = l_gen; n0 = l_n; own0 = 0 };
#else
            /* If the word changed, the loop looks again. */
            d_step { if :: g0 == l_gen && n0 == l_n && own0 -> own0 = 0 :: else -> l_own = 0 fi };
#endif
            STEP;
#ifdef SUM_LATE
            if
            :: l_own ->
                d_step { i = gen; created[l_gen]++; state = LIVE; gen = l_gen };
                STEP;
                d_step { do :: i < l_gen -> summed[i]++; i++ :: else -> break od; i = 0 }
            :: else
            fi
#else
#ifndef PUBLISH_LAST
            if
            :: l_own -> d_step { created[l_gen]++; state = LIVE; gen = l_gen }
            :: else
            fi;
#endif
            STEP
#endif
        :: !l_own && l_n > 0 -> /* left by the client, or published by a manager that was killed then */
            sum_up();
#ifndef NO_FILL
            hollow = 0;
            STEP;
#endif
            d_step { created[l_gen]++; state = LIVE };
            STEP
        :: l_own && l_n == 0 ->
            sum_up();
            if
            :: reclaim ->
#ifdef BLIND_RECLAIM
                d_step { g0 = 0; n0 = 0; own0 = 0 };
#else
                d_step { if :: g0 == l_gen && n0 == 0 && own0 -> g0 = 0; own0 = 0 :: else -> l_own = 0 fi };
#endif
                STEP;
                if :: l_own -> take_back() :: else fi
            :: else -> break
            fi
        :: else -> take_back()
        fi
    :: else -> break
    od;
    skip;
    d_step { l_gen = 0; l_n = 0; l_own = 0 }
}

inline stash()
{
    assert(using0 == 0 && using1 == 0);
    d_step { state = RESERVED; gen++; withdrawn = 0 };
    STEP;
#ifndef NOT_ZEROED
    d_step { dirt = 0; hollow = 1 };
#endif
    STEP;
    record0 = 1;
    STEP;
#ifdef WORD_FIRST
    d_step { g0 = gen; n0 = 0; own0 = 1; offered = 1 };
    STEP;
    state = STASHED;
#else
    state = STASHED;
    STEP;
    d_step { g0 = gen; n0 = 0; own0 = 1 };
    STEP;
    offered = 1;
#endif
    STEP
}

/* LIVE and withdrawn: idle grants are taken one by one, then it is FREE. */
inline end()
{
    atomic { if :: record0 && g0 == gen && n0 == 1 -> n0 = 0 :: else fi };
    STEP;
    if :: record0 && !(g0 == gen && n0 > 0) -> record0 = 0 :: else fi;
    STEP;
    atomic { if :: record1 && g1 == gen && n1 == 1 -> n1 = 0 :: else fi };
    STEP;
    if :: record1 && !(g1 == gen && n1 > 0) -> record1 = 0 :: else fi;
    STEP;
    if
    :: !record0 && !record1 -> state = FREE
    :: else
    fi;
    STEP
}

inline serve_find()
{
#ifndef NO_LOOK
    look(0);
#endif
    if
    :: state == LIVE && gen == wanted[1] && !withdrawn ->
        record1 = 1;
        STEP;
        atomic { if :: g1 == gen && n1 > 0 :: else -> g1 = gen; n1 = 1 fi };
        STEP;
        d_step { answer[1] = yes; request[1] = nothing }
    :: else -> d_step { answer[1] = no; request[1] = nothing }
    fi
}

inline serve_dealloc()
{
    look(0);
    if
    :: state == LIVE && gen == wanted[0] && !withdrawn -> withdrawn = 1
    :: else
    fi;
    STEP;
    d_step { answer[0] = yes; request[0] = nothing }
}

inline bury0()
{
#ifndef BURY_FORGETS
    look(1);
#endif
    /* An orphan ends with its last holder here. */
    if :: state == LIVE && !withdrawn -> withdrawn = 1 :: else fi;
    STEP;
    record0 = 0;
    STEP;
    d_step { g0 = 0; n0 = 0; own0 = 0; using0 = 0; buried0 = 1; request[0] = nothing };
#ifdef BURY_FORGETS
    if :: state == STASHED -> state = FREE :: else fi
#endif
}

active proctype manager()
{
    byte l_gen, l_n, i, looks = 2, recalls = 1;
    bit l_own;
    goto serve;
killed:
    skip;
    d_step {
        l_gen = 0; l_n = 0; l_own = 0; i = 0; era++; kill_manager = 0;
        request[0] = nothing; request[1] = nothing;
        if :: state == RESERVED -> record0 = 0; record1 = 0; state = FREE :: else fi
    };
#ifdef RESTART_FORGETS
    if :: state == STASHED -> record0 = 0; state = FREE :: else fi;
#endif
    look(0);
serve:
    do
    :: kill_manager -> goto killed
    :: state == FREE && gen < GENS - 1 && !dead0 && !done0 && !(g0 == gen && n0 > 0) -> stash()
    :: state == STASHED && looks > 0 -> looks--; look(0)
    :: state == STASHED && recalls > 0 -> recalls--; look(1)
    :: state == LIVE && withdrawn && ((!record0 || n0 <= 1 || g0 != gen) && (!record1 || n1 <= 1 || g1 != gen)) -> end()
    :: request[1] == find && !dead1 -> serve_find()
    :: request[0] == dealloc && !dead0 -> serve_dealloc()
    :: dead0 && !buried0 -> bury0()
    :: dead1 && !buried1 -> d_step { record1 = 0; g1 = 0; n1 = 0; using1 = 0; buried1 = 1; request[1] = nothing }
    :: (done0 && done0b || dead0 && buried0) && (done1 || dead1 && buried1) -> break
    od;
    look(1);
    d_step {
        i = 1;
        do
        :: i <= GENS ->
            assert(!allocated[i] || created[i] + summed[i] == 1);
            assert(allocated[i] || created[i] + summed[i] == 0);
            i++
        :: else -> break
        od
    };
    assert(state != STASHED && state != RESERVED)
}

/* ----------------------------------------------------------------- clients */

#define DIES0 if :: deaths > 0 -> d_step { deaths--; dead0 = 1 }; goto gone :: true fi
#define DEAD0 if :: dead0 -> goto gone :: else fi

proctype owner()
{
    byte round = 0, mine, asked, l_gen;
    do
    :: round < OPS ->
        round++;
        DIES0;
        if
        :: offered && own0 && n0 == 0 && g0 <= GENS -> l_gen = g0
        :: else -> goto next
        fi;
#ifndef CLAIM_HOLLOW
        hollow = 0; /* also if the slot was withdrawn meanwhile: taking pages changes no byte */
#endif
        DIES0;
        /* allocate */
        atomic {
            if
            :: own0 && n0 == 0 && g0 == l_gen ->
                n0 = 2; mine = l_gen;
                assert(!allocated[mine] && dirt != ALIEN);
                allocated[mine] = 1; using0 = mine; current = mine
            :: else -> goto next
            fi
        };
        DIES0;
        if :: dirt == 0 -> dirt = 1 :: true fi;
        DIES0;
        /* deallocate */
        atomic {
            current = 0;
            if
            :: g0 == mine && n0 == 2 && mine < GENS &&
#ifndef FREE_PUBLISHED
               own0 &&
#endif
               true ->
                n0 = 0;
                own0 = 1;
#ifndef SAME_GENERATION
                g0 = mine + 1;
#endif
                freeing[mine] = 1; freed[mine] = 1; using0 = 0;
                goto next
            :: else -> freeing[mine] = 1
            fi
        };
        DIES0;
        atomic { assert(g0 == mine && n0 >= 2); n0 = n0 - 1; own0 = 0; using0 = 0 };
        DIES0;
        do
        :: d_step { answer[0] = nothing; request[0] = dealloc; wanted[0] = mine; asked = era };
            if
            :: answer[0] != nothing -> break
            :: answer[0] == nothing && era != asked
            fi
        od;
        freed[mine] = 1;
next:
        skip;
        d_step { l_gen = 0; mine = 0 }
    :: else -> break
    od;
gone:
    done0 = 1
}

/* The owner's second thread maps what the first one allocated. */
proctype mapper()
{
    byte l_gen;
    if
    :: current != 0 -> l_gen = current
    :: done0
    fi;
    atomic {
        if
        :: l_gen != 0 && g0 == l_gen && n0 >= 1 && !dead0 -> n0 = n0 + 1; assert(using0 == l_gen || freeing[l_gen])
        :: else -> goto over
        fi
    };
    atomic { if :: !dead0 -> assert(g0 == l_gen && n0 >= 2); n0 = n0 - 1 :: else fi };
over:
    done0b = 1
}

#define DIES1 if :: deaths > 0 -> d_step { deaths--; dead1 = 1 }; goto gone :: true fi

proctype other()
{
    byte round = 0, q, asked;
    bit was_freed, was_there;
    do
    :: round < 2 ->
        round++;
        if
        :: allocated[1] -> q = 1
        :: allocated[2] -> q = 2
        :: allocated[3] -> q = 3
        :: true -> goto next
        fi;
        d_step { was_freed = freed[q]; was_there = allocated[q] && !freeing[q] };
        do
        :: d_step { answer[1] = nothing; request[1] = find; wanted[1] = q; asked = era };
            if
            :: answer[1] != nothing -> break
            :: answer[1] == nothing && era != asked
            fi
        od;
        if
        :: answer[1] == yes ->
            assert(!was_freed);
            atomic {
                if
                :: g1 == q && n1 >= 1 -> n1 = n1 + 1; using1 = q; assert(!hollow)
                :: else -> goto next
                fi
            };
            DIES1;
            dirt = ALIEN;
            DIES1;
            atomic { assert(g1 == q && n1 >= 2); n1 = n1 - 1; using1 = 0 }
        :: else -> assert(!was_there || freeing[q] || dead0)
        fi;
next:
        skip;
        d_step { q = 0; was_freed = 0; was_there = 0 }
    :: else -> break
    od;
gone:
    done1 = 1
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
    atomic {
        request[0] = nothing; request[1] = nothing; answer[0] = nothing; answer[1] = nothing;
        run owner();
#ifdef TWO_THREADS
        done0b = 0;
        run mapper();
#endif
        run other()
    }
}
