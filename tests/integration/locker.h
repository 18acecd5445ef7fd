// SPDX-License-Identifier: MIT
// Another process that locks: the test program itself, started with a role.
#pragma once

#include <QStringList>

// "locker": obeys lines on standard input, each with one line of answer:
//   lock ID r|w MILLISECONDS   "granted TOKEN" or "inconsistent TOKEN", else the error's code and
//   sentence unlock ID TOKEN            "ok", else the code fork ID                    what a
//   forked child is told that locks with the inherited client
// "worker SEED ID…": two threads that lock regions at random, always in the order they are named,
//   and check in the memory itself that writers are alone, until a line comes. "done LOCKS" or what
//   was wrong.
int run_locker(const QStringList& words);
