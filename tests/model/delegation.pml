/* SPDX-License-Identifier: MIT */
/*
 * A lock that is delegated to a client: core/layout/delegated_lock.h, core/memory/synchronizer_delegation.cpp,
 * core/registry/lock_table.h and core/client/lock_client_local.cpp. One region; owners 0 and 1 are threads of
 * client 0, owner 2 is client 1. The manager may be killed between any two stores, client 1 at any time.
 * -DONE_THREAD: client 0 has owner 0 alone.
 *
 * Checked: no two owners are inside; the token of every hold is known when it is released; whoever enters
 * after one died inside is told that the region is inconsistent; nobody waits for ever, and nothing is left.
 *
 * -D switches make mistakes that must be found:
 *   NO_RECALL            the manager reads the word and does not set `recalled`
 *   RECALL_IGNORED       a client changes a recalled word
 *   RECORD_FIRST         the record says delegated before the lease page has the word
 *   ORDINARY_FIRST       the record is ordinary before it has what the page says
 *   NO_BASE              a client does not compare the base
 *   LOAN_WITHOUT_END     a lock that somebody waits for is delegated, and nobody ends that
 *   LENT_IS_FREE         a lock without a holder in the queue is granted although it is lent
 *   FORGET_WORD          a dead client's delegated lock is dropped without a look at its page
 *   NOT_ABSORBED_AGAIN   a new manager believes what the record says of a recalled lock
 */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define OWNERS 3
#define NOBODY 255
#define CLIENT(o) ((o) / 2)

mtype = { nothing, lock, unlock, granted, done };

/* The locks file and the control word. A token is (base, sequence). */
byte holder = NOBODY, number, base, seq;
bit delegated = 0, inconsistent = 0;

/* The lease pages. */
bit w_delegated[2], w_recalled[2];
byte w_owner[2], w_seq[2], w_base[2];

/* Requests and answers; a kill closes the connections. */
mtype request[OWNERS], answer[OWNERS];
byte request_number[OWNERS], token_base[OWNERS], token_seq[OWNERS];
bit told_delegated[OWNERS], told_inconsistent[OWNERS];
byte era = 0;

/* What a client remembers: the base of its delegation. */
byte known[2];

/* The manager's memory. */
bit parked[OWNERS];
bit lent = 0; /* delegated although others wait, until its time is up */
bit buried = 0, kill_manager = 0;

/* Only for the claims. */
byte inside = 0, fresh = 0, deaths = DEATHS;
bit half_written = 0, dead = 0;
bit finished[OWNERS], repeated[OWNERS];

#define STEP if :: kill_manager -> goto killed :: else fi

/* ----------------------------------------------------------------- manager */

#ifdef NOT_ABSORBED_AGAIN
#define TO_ABSORB (holder != NOBODY && delegated && !w_recalled[CLIENT(holder)])
#else
#define TO_ABSORB (holder != NOBODY && delegated)
#endif

inline absorb()
{
    if
    :: TO_ABSORB ->
        d_step {
            c = CLIENT(holder);
#ifndef NO_RECALL
            w_recalled[c] = 1;
#endif
            found = (w_delegated[c] -> w_owner[c] : NOBODY);
            found_seq = w_seq[c]
        };
        STEP;
        if
        :: found == NOBODY -> holder = NOBODY
        :: else ->
#ifdef ORDINARY_FIRST
            delegated = 0;
            STEP;
#endif
            d_step { holder = found; seq = found_seq };
            STEP;
            delegated = 0
        fi;
        STEP
    :: else
    fi
}

inline delegate(o)
{
    if
    :: !inconsistent ->
        c = CLIENT(o);
#ifdef RECORD_FIRST
        delegated = 1;
        STEP;
#endif
        w_base[c] = base;
        STEP;
        d_step { w_delegated[c] = 1; w_recalled[c] = 0; w_owner[c] = o; w_seq[c] = seq };
        STEP;
        delegated = 1;
        STEP;
        told_delegated[o] = 1
    :: else -> told_delegated[o] = 0
    fi
}

inline write_record(o)
{
    d_step {
        fresh++; base = fresh; seq = w_seq[CLIENT(o)] + 1; number = request_number[o]; delegated = 0
    };
    STEP;
    holder = o;
    STEP
}

inline reply_granted(o)
{
    d_step {
        token_base[o] = base; token_seq[o] = seq; told_inconsistent[o] = inconsistent;
        answer[o] = granted; request[o] = nothing
    }
}

#define CLIENT_WAITS(client) ((client) == 0 && (parked[0] || parked[1]) || (client) == 1 && parked[2])
#define LENT_TO_ANOTHER(o) \
    (lent && holder != NOBODY && delegated && CLIENT(holder) != CLIENT(o) && \
     CLIENT_WAITS(1 - CLIENT(holder)))

/* Somebody who waits gets it. While others still wait it is lent, unless they are of the same client, or
 * `asking`: a request that will wait as well is being served. */
inline advance()
{
    if
    :: parked[0] -> next = 0
    :: parked[1] -> next = 1
    :: parked[2] -> next = 2
    :: else -> next = NOBODY
    fi;
    if
    :: next != NOBODY ->
        write_record(next);
        parked[next] = 0;
        if
        :: asking || CLIENT_WAITS(CLIENT(next)) -> told_delegated[next] = 0
        :: else ->
            delegate(next);
            lent = (CLIENT_WAITS(0) || CLIENT_WAITS(1))
        fi;
        reply_granted(next)
    :: else
    fi;
    next = 0
}

/* A request of the client that has it ends the loan first; who waits is served before it. */
inline serve_lock(o)
{
    parked[o] = 0;
    if
#ifndef LENT_IS_FREE
    :: LENT_TO_ANOTHER(o) -> parked[o] = 1; goto serve
#else
    :: LENT_TO_ANOTHER(o) -> holder = NOBODY; delegated = 0
#endif
    :: else ->
        absorb();
        if :: lent && holder == NOBODY -> asking = 1; advance(); asking = 0 :: else fi
    fi;
    if
    :: holder == o && number == request_number[o] -> told_delegated[o] = 0; reply_granted(o)
    :: holder == NOBODY ->
        write_record(o);
        delegate(o);
        reply_granted(o)
    :: else -> parked[o] = 1
    fi
}

inline serve_unlock(o)
{
    absorb();
    if
    :: holder == o && !delegated && base == token_base[o] && seq == token_seq[o] ->
        inconsistent = 0;
        STEP;
        holder = NOBODY;
        STEP;
        advance()
    :: else -> assert(repeated[o])
    fi;
    STEP;
    d_step { answer[o] = done; request[o] = nothing }
}

inline bury()
{
#ifdef FORGET_WORD
    if :: holder == 2 && delegated -> holder = NOBODY :: else fi;
#endif
    if :: holder == 2 -> absorb() :: else fi;
    if
    :: holder == 2 ->
        inconsistent = 1;
        STEP;
        holder = NOBODY;
        STEP
    :: else
    fi;
    d_step { request[2] = nothing; parked[2] = 0; buried = 1 };
    if :: holder == NOBODY -> advance() :: else fi
}

#define DUE(o) (request[o] != nothing && !parked[o])
#define QUIET(o) (finished[o] && request[o] == nothing)

active proctype manager()
{
    byte c, found, found_seq, next;
    bit asking = 0;
    goto serve;
killed:
    skip;
    d_step {
        parked[0] = 0; parked[1] = 0; parked[2] = 0; buried = 0; era++; kill_manager = 0;
        request[0] = nothing; request[1] = nothing; request[2] = nothing; lent = 0;
        c = 0; found = 0; found_seq = 0; next = 0; asking = 0
    };
serve:
    do
    :: kill_manager -> goto killed
    :: dead && !buried -> bury()
    :: DUE(0) && request[0] == lock -> serve_lock(0)
    :: DUE(0) && request[0] == unlock -> serve_unlock(0)
    :: DUE(1) && request[1] == lock -> serve_lock(1)
    :: DUE(1) && request[1] == unlock -> serve_unlock(1)
    :: !dead && DUE(2) && request[2] == lock -> serve_lock(2)
    :: !dead && DUE(2) && request[2] == unlock -> serve_unlock(2)
#ifndef LOAN_WITHOUT_END
    :: lent ->
        lent = 0;
        absorb();
        if :: holder == NOBODY -> advance() :: else fi
#endif
    :: QUIET(0) && QUIET(1) && QUIET(2) && (!dead || buried) -> break
    od;
    /* Whatever is delegated is idle. */
    absorb();
    assert(holder == NOBODY);
    assert(!half_written || inconsistent)
}

/* ------------------------------------------------------------------ client */

/* Client 1, whatever it is doing, may die. */
#define MORTAL \
    if \
    :: me == 2 && deaths > 0 -> atomic { deaths--; dead = 1; \
        if :: is_inside -> inside--; half_written = 1 :: else fi; goto gone } \
    :: true \
    fi

inline ask(what)
{
    mine++;
    repeated[me] = 0;
    do
    :: d_step { answer[me] = nothing; request[me] = what; request_number[me] = mine; asked = era };
        if
        :: answer[me] != nothing -> break
        :: answer[me] == nothing && era != asked -> repeated[me] = 1
        fi
    od
}

/* Loads the word and then the base. `fits`: the lock is ours to change. */
inline look()
{
    base_known = known[CLIENT(me)];
    d_step {
        l_delegated = w_delegated[CLIENT(me)]; l_recalled = w_recalled[CLIENT(me)];
        l_owner = w_owner[CLIENT(me)]; l_seq = w_seq[CLIENT(me)]
    };
    fits = (base_known != 0 && l_delegated &&
#ifndef NO_BASE
            w_base[CLIENT(me)] == base_known &&
#endif
#ifndef RECALL_IGNORED
            !l_recalled &&
#endif
            true)
}

#define UNCHANGED (w_delegated[CLIENT(me)] == l_delegated && w_recalled[CLIENT(me)] == l_recalled && \
                   w_owner[CLIENT(me)] == l_owner && w_seq[CLIENT(me)] == l_seq)

inline take()
{
    do
    :: look();
        if
        :: fits && l_owner == NOBODY ->
            MORTAL;
            atomic {
                if
                :: UNCHANGED ->
                    w_owner[CLIENT(me)] = me; w_seq[CLIENT(me)] = l_seq + 1;
                    token_base[me] = base_known; token_seq[me] = l_seq + 1; told_inconsistent[me] = 0;
                    goto entered
                :: else
                fi
            }
        :: else ->
            ask(lock);
            if :: told_delegated[me] -> known[CLIENT(me)] = token_base[me] :: else fi;
            break
        fi
    od
}

inline give()
{
    do
    :: look();
        if
        :: fits && l_owner != NOBODY && base_known == token_base[me] && l_seq == token_seq[me] ->
            MORTAL;
            atomic {
                if
                :: UNCHANGED -> w_owner[CLIENT(me)] = NOBODY; goto given
                :: else
                fi
            }
        :: else -> ask(unlock); break
        fi
    od
}

proctype owner(byte me)
{
    byte round = 0, mine = 0, asked, base_known, l_owner, l_seq;
    bit l_delegated, l_recalled, fits, is_inside = 0;
    do
    :: round < ROUNDS ->
        MORTAL;
        take();
entered:
        MORTAL;
        atomic {
            assert(inside == 0);
            assert(!half_written || told_inconsistent[me]);
            inside++; is_inside = 1
        }
        MORTAL;
        atomic { inside--; is_inside = 0; half_written = 0 }
        MORTAL;
        give();
given:
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
        w_owner[0] = NOBODY; w_owner[1] = NOBODY;
        do
        :: n < OWNERS ->
            request[n] = nothing; answer[n] = nothing;
#ifdef ONE_THREAD
            if :: n == 1 -> finished[n] = 1 :: else -> run owner(n) fi;
#else
            run owner(n);
#endif
            n++
        :: else -> break
        od
    }
}
