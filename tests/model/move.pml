/* SPDX-License-Identifier: MIT */
/*
 * RegionMover::move and ArenaPool: a region moves to another slice while a client with two threads takes
 * and gives back references to it without asking, the manager is killed between any two steps, and
 * other regions come and go in the slices that are free.
 *
 * One region (its contents are DATA), SLICES slices. The registry, the client's page and the memory
 * survive a kill of the manager; which slices are free, and which of them are clean, does not.
 *
 * Checked: whoever holds a reference reads the region's contents where it believes it to be, for as
 * long as it holds it; a new region is all zero; no slice has two regions; and nothing hangs.
 *
 * -D switches make mistakes that must be found:
 *   SAME_BODY        the new place is written into the body that counts
 *   TWO_WORDS        body and generation change in two stores
 *   SAME_GENERATION  the generation stays, so that what clients remember still counts
 *   KEEP_GRANTS      idle grants are not withdrawn before the contents are copied
 *   FREE_FIRST       the old slice is given away before the new place counts
 *   TRUST_CLEAN      after a restart free slices are believed to be clean
 */
#define SLICES 3
#ifndef MOVES
#define MOVES 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef OTHERS
#define OTHERS 2
#endif
#ifndef OPS
#define OPS 2
#endif
#define ZERO 0
#define DATA 1
#define OTHER 2
#define NOWHERE 9

/* Survives a kill. */
byte generation = 1, body = 0, place[2]; /* one control word, two bodies */
byte word_generation = 1, n = 1;         /* the client's page: granted and idle */
bit grant = 1;
byte contents[SLICES];
byte other = NOWHERE; /* the slice of another region, as its own slot says */

/* The manager's own. */
bit free_[SLICES], clean[SLICES];

byte request[2]; /* a thread asks: 1, is answered: 2 */
byte answer_generation[2], answer_place[2];
bit kill_now = 0;
byte kills = KILLS, moves = MOVES, others = OTHERS, running = 2;

inline check_held(p) { assert(contents[p] == DATA) }

proctype Thread(byte me) {
    byte g = 1, p = 0, ops = OPS;
    bit held = 0;
    do
    :: ops == 0 -> break
    :: ops > 0 ->
        ops--;
        held = 0;
        do
        :: held -> break
        :: else ->
            atomic {
                if
                :: word_generation == g && n >= 1 -> n++; held = 1
                :: else -> request[me] = 1
                fi
            };
            if
            :: held
            :: else ->
                atomic { request[me] == 2; g = answer_generation[me]; p = answer_place[me]; request[me] = 0 }
            fi
        od;
        check_held(p);
        check_held(p);
        atomic { check_held(p); n-- }
    od;
    running--
}

inline grant_to(t) {
    grant = 1;
    d_step {
        if
        :: word_generation == generation && n >= 1
        :: else -> word_generation = generation; n = 1
        fi
    };
    d_step {
        if
        :: request[t] == 1 -> answer_generation[t] = generation; answer_place[t] = place[body]; request[t] = 2
        :: else
        fi
    }
}

inline choose_free(to) {
    to = NOWHERE;
    i = 0;
    do
    :: i < SLICES && free_[i] && to == NOWHERE -> to = i; i++
    :: i < SLICES && !(free_[i] && to == NOWHERE) -> i++
    :: i == SLICES -> break
    od
}

inline prepare(s) {
    free_[s] = 0;
    if
    :: clean[s]
    :: else -> contents[s] = ZERO; clean[s] = 1
    fi
}

inline give(s) { d_step { free_[s] = 1; clean[s] = 0 } }

proctype Manager() {
    byte i, to, old;
    bit withdrawn;
again: {
        /* Start: what no slot names is free. */
        i = 0;
        do
        :: i < SLICES ->
            d_step {
                free_[i] = (i != place[body] && i != other);
#ifdef TRUST_CLEAN
                clean[i] = 1;
#else
                clean[i] = 0;
#endif
                i++
            }
        :: i == SLICES -> break
        od;
        do
        :: request[0] == 1 -> grant_to(0)
        :: request[1] == 1 -> grant_to(1)
        :: others > 0 && other == NOWHERE ->
            /* Another region: made, used and freed again. */
            others--;
            choose_free(to);
            if
            :: to != NOWHERE ->
                prepare(to);
                assert(to != place[body]);
                other = to;
                assert(contents[to] == ZERO);
                contents[to] = OTHER
            :: else
            fi
        :: other != NOWHERE -> d_step { to = other; other = NOWHERE }; give(to)
        :: moves > 0 ->
            moves--;
            choose_free(to);
            withdrawn = 1;
#ifndef KEEP_GRANTS
            d_step {
                if
                :: word_generation == generation && n == 1 -> n = 0
                :: word_generation == generation && n >= 2 -> withdrawn = 0
                :: else
                fi
            };
            if :: withdrawn -> grant = 0 :: else fi;
#endif
            if
            :: withdrawn && to != NOWHERE ->
                prepare(to);
                old = place[body];
                contents[to] = contents[old];
#ifdef FREE_FIRST
                give(old);
                prepare(old);
                give(old);
#endif
#ifdef SAME_BODY
                place[body] = to;
#else
                place[1 - body] = to;
#endif
#if defined(SAME_GENERATION)
                body = 1 - body;
#elif defined(SAME_BODY)
                generation++;
#elif defined(TWO_WORDS)
                body = 1 - body;
                generation++;
#else
                d_step { generation++; body = 1 - body };
#endif
#ifndef FREE_FIRST
                give(old)
#endif
            :: else
            fi
        :: running == 0 && request[0] == 0 && request[1] == 0 -> goto done
        od
    } unless { kill_now };
    d_step { kill_now = 0; i = 0; to = 0; old = 0; withdrawn = 0 };
    goto again;
done: skip
}

/* What was asked and not answered is asked again by itself: the request stands. */
proctype Killer() {
    do
    :: kills > 0 -> atomic { kills--; kill_now = 1 }; (!kill_now || running == 0)
    :: break
    od
}

init {
    atomic {
        place[0] = 0;
        contents[0] = DATA;
        contents[1] = OTHER; /* an earlier region's */
        run Manager();
        run Thread(0);
        run Thread(1);
        run Killer()
    }
}
