/* SPDX-License-Identifier: MIT */
/*
 * SignalWord: threads of WAITERS clients sleep on a region's word, the manager waits for a client with
 * a descriptor, and NOTIFIERS programs count on; one may die between the change of the word and what
 * it would do then. The last waiter waits until its client is closed. Nobody looks again after some
 * time unless a notifier died, so a wake-up that is lost shows as a process that does not end.
 *
 * -D switches make mistakes that must be found:
 *   MARK_LATE      a thread compares the counter first and adds its mark afterwards
 *   WATCH_LATE     the manager does that
 *   TWO_WORDS      the marks are in another word: cleared after the counter, and not slept on
 *   NO_LOOK        nobody looks again although a notifier died
 *   CLOSE_ONCE     closing wakes once, although a thread may be about to sleep
 *   CLOSE_FIRST    a thread asks whether its client is closed before it is on the list
 */
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef NOTIFIERS
#define NOTIFIERS 2
#endif

byte counter = 0;
bit sleepers = 0, watched = 0; /* with the counter in one word: what changes both is one step */

bit asleep[WAITERS], listed[WAITERS];
bit closed = 0; /* the client of the last waiter */
bit told = 0;   /* a message to the manager */
bit died = 0;   /* a notifier: from now on everybody looks again */
byte notified = 0;

inline wake_all()
{
    atomic {
        w = 0;
        do
        :: w < WAITERS -> asleep[w] = 0; w++
        :: else -> break
        od
    }
}

#ifdef NO_LOOK
#define LOOKS false
#else
#define LOOKS died
#endif
#define MINE_CLOSED (me == WAITERS - 1 && closed)

proctype waiter(byte me)
{
    byte since = 0, seen = 0;
    do
    :: (me < WAITERS - 1 && since == NOTIFIERS) || MINE_CLOSED -> break
    :: else ->
#ifdef MARK_LATE
        seen = counter;
        if
        :: seen != since -> since = seen
        :: else ->
            sleepers = 1;
            seen = counter;
#else
        atomic { sleepers = 1; seen = counter };
        if
        :: seen != since -> since = seen
        :: else ->
#endif
#ifdef CLOSE_FIRST
            if
            :: MINE_CLOSED -> break
            :: else
            fi;
            listed[me] = 1;
#else
            listed[me] = 1;
            if
            :: MINE_CLOSED -> listed[me] = 0; break
            :: else
            fi;
#endif
            /* The kernel compares and sleeps in one step. */
            atomic {
                if
#ifdef TWO_WORDS
                :: counter == seen -> asleep[me] = 1
#else
                :: counter == seen && sleepers -> asleep[me] = 1
#endif
                :: else
                fi
            };
            (asleep[me] == 0 || LOOKS);
            asleep[me] = 0;
            listed[me] = 0
        fi
    od
}

proctype notifier()
{
    bit wake = 0, tell = 0;
    byte w = 0;
#ifdef TWO_WORDS
    counter++;
    wake = sleepers;
    tell = watched;
    sleepers = 0;
    watched = 0;
#else
    atomic { counter++; wake = sleepers; tell = watched; sleepers = 0; watched = 0 };
#endif
    if
    :: true
    :: atomic { !died -> died = 1; wake = 0; tell = 0 }
    fi;
    if
    :: wake -> wake_all()
    :: else
    fi;
    if
    :: tell -> told = 1
    :: else
    fi
}

proctype manager()
{
    byte since = 0, seen = 0;
    do
    :: since == NOTIFIERS -> break
    :: else ->
#ifdef WATCH_LATE
        seen = counter;
        watched = 1;
#else
        atomic { watched = 1; seen = counter };
#endif
        if
        :: seen != since -> since = seen
        :: else ->
            (told || LOOKS);
            told = 0
        fi
    od
}

proctype closer()
{
    byte w = 0;
    closed = 1;
    do
    :: listed[WAITERS - 1] ->
        wake_all();
#ifdef CLOSE_ONCE
        break
#endif
    :: else -> break
    od
}

init
{
    atomic {
        byte i = 0;
        do
        :: i < WAITERS -> run waiter(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < NOTIFIERS -> run notifier(); i++
        :: else -> break
        od;
        run manager();
        run closer()
    }
}
