// SPDX-License-Identifier: MIT
// Another process that waits and notifies: the test program itself, started with a role.
#pragma once

#include <QStringList>

// "signaller": obeys lines on standard input, each with one line of answer:
//   wait ID SINCE MILLISECONDS   "now COUNTER", else the error's code
//   notify ID                    "ok", else the code
//   storm ID                     notifies until it is killed; no answer
// "threads SEED OWNERS TIMES ID…" and "events SEED OWNERS TIMES ID…": many owners that lock regions
//   at random and count in their memory, with a thread each or with one descriptor for all.
//   "done LOCKS" or what was wrong.
int run_signaller(const QStringList& words);
