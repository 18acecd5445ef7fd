/* SPDX-License-Identifier: MIT */
/*
 * EventRing and EventRecorder: a state change and its event are one step, and each event reaches the
 * database once, although the process is killed between any two steps, the machine starts anew (the
 * registry is lost, the database stays), or the database is removed. A ring of CELLS entries.
 *
 * Appending and draining take turns here, step by step; that a copy taken while an entry is being
 * overwritten is noticed (copy_entry in event_ring.cpp) is not part of the model.
 *
 * Checked, when all is quiet: every change has its row or is counted by a gap, in order and none
 * twice; what the ring still held was never given up; and nothing hangs.
 *
 * -D switches make mistakes that must be found:
 *   HEAD_FIRST       the head is published before the slot's control word is stored
 *   STATE_FIRST      the control word is stored before the event is written
 *   NO_RECOVERY      a restart leaves the entry behind the head as it is
 *   BELIEVE_ENTRY    a restart publishes that entry without asking the slot
 *   TRUST_HINT       a restart goes on from the registry's hint and not from the database
 *   ONE_EPOCH        rows do not say which registry they come from
 */
#define CELLS 3
#ifndef CHANGES
#define CHANGES 5
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef REBOOTS
#define REBOOTS 1
#endif
#ifndef REMOVALS
#define REMOVALS 1
#endif
#define EPOCHS 3

/* The registry file: survives a kill, not a reboot. */
byte control = 0;                     /* of the one slot: counts its changes */
byte number[CELLS], announced[CELLS]; /* an entry: its place, and the control word after it */
byte head = 0, oldest = 1, committed = 0;
byte epoch = 0;

/* The database: for each epoch the highest place recorded, and how many were rows and gaps. */
byte last[EPOCHS], rows[EPOCHS], lost[EPOCHS];

/* Only for the claims. */
byte changed[EPOCHS];
bit was_removed[EPOCHS];

bit kill_process = 0, removing = 0;
bit killer_done = 0;

#ifdef ONE_EPOCH
#define HERE 0
#else
#define HERE epoch
#endif

#define CELL(n) ((n) % CELLS)

inline write_entry()
{
    /* What a kill leaves half written has no number. */
    number[CELL(head + 1)] = 0;
    announced[CELL(head + 1)] = control + 1;
    number[CELL(head + 1)] = head + 1
}

proctype Process()
{
    byte next, from, to, k;

life:
    {
        goto recover;
loop:
        skip;
        d_step { from = 0; to = 0; k = 0 };
        do
        :: changed[epoch] < CHANGES -> goto change
        :: head >= next -> goto drain
        :: removing -> goto reopen
        :: atomic {
               changed[epoch] == CHANGES && head < next && !removing && killer_done ->
               assert(rows[HERE] + lost[HERE] == head && head == control && control == changed[epoch]);
               assert(lost[HERE] == 0 || was_removed[epoch] || oldest > 1);
               goto rest
           }
        od;

change:
        if
        :: head + 1 > committed + CELLS ->
            /* Full: the oldest is given up, and the reader is told before it is overwritten. */
            oldest = head + 2 - CELLS
        :: else
        fi;
#if defined(STATE_FIRST)
        d_step { control++; changed[epoch]++ };
        number[CELL(head + 1)] = 0;
        announced[CELL(head + 1)] = control;
        number[CELL(head + 1)] = head + 1;
        head++;
#elif defined(HEAD_FIRST)
        write_entry();
        head++;
        d_step { control++; changed[epoch]++ };
#else
        write_entry();
        d_step { control++; changed[epoch]++ };
        head++;
#endif
        goto loop;

        /* EventRecorder::drain: a copy of what is there, one transaction, then the hint. */
drain:
        skip;
        d_step {
            from = next;
            if :: oldest > from -> from = oldest :: else fi;
            if :: head >= CELLS && head - CELLS + 1 > from -> from = head - CELLS + 1 :: else fi;
            to = head;
            /* A kill can leave the oldest half overwritten although it was asked for again. */
            if :: number[CELL(from)] == 0 -> from++ :: else fi
        };
        d_step {
            /* Removed before the commit: the rows went into a file nobody can open. */
            if
            :: removing -> skip
            :: else ->
                k = from;
                do
                :: k <= to -> assert(number[CELL(k)] == k); k++
                :: else -> break
                od;
                assert(last[HERE] == next - 1);
                lost[HERE] = lost[HERE] + (from - next);
                rows[HERE] = rows[HERE] + (to - from + 1);
                last[HERE] = to
            fi
        };
        if :: removing -> goto reopen :: else fi;
        committed = to;
        next = to + 1;
        goto loop;

        /* A new, empty database: whatever the ring holds is written again. */
reopen:
        skip;
        d_step { removing = 0; next = last[HERE] + 1 };
        committed = last[HERE];
        goto loop;

recover:
        skip;
#ifndef NO_RECOVERY
        if
#ifdef BELIEVE_ENTRY
        :: number[CELL(head + 1)] == head + 1 -> head++
#else
        :: number[CELL(head + 1)] == head + 1 && announced[CELL(head + 1)] == control -> head++
        :: number[CELL(head + 1)] == head + 1 && announced[CELL(head + 1)] != control ->
            number[CELL(head + 1)] = 0
#endif
        :: else
        fi;
#endif
#ifdef TRUST_HINT
        next = committed + 1;
#else
        d_step { removing = 0; next = last[HERE] + 1 };
        committed = last[HERE];
#endif
        goto loop
    } unless { kill_process };

    d_step { kill_process = 0; next = 0; from = 0; to = 0; k = 0 };
    goto life;
rest:
    skip
}

proctype Fate()
{
    byte kills = KILLS, reboots = REBOOTS, removals = REMOVALS, i;
    do
    :: kills > 0 -> atomic { kills--; kill_process = 1 }; !kill_process
    :: atomic {
           /* What was not recorded when the machine stops is lost, and no program can help it. */
           reboots > 0 && rows[HERE] + lost[HERE] == changed[epoch] && !removing ->
           reboots--;
           control = 0; head = 0; oldest = 1; committed = 0;
           i = 0;
           do :: i < CELLS -> number[i] = 0; announced[i] = 0; i++ :: else -> break od;
           i = 0;
           epoch++;
           kill_process = 1
       };
       !kill_process
    :: atomic {
           removals > 0 && !removing ->
           removals--;
           removing = 1;
           was_removed[epoch] = 1;
           last[0] = 0; rows[0] = 0; lost[0] = 0;
           last[1] = 0; rows[1] = 0; lost[1] = 0;
           last[2] = 0; rows[2] = 0; lost[2] = 0
       }
    :: break
    od;
    killer_done = 1
}

init { atomic { run Process(); run Fate() } }
