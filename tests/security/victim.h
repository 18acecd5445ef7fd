// SPDX-License-Identifier: MIT
#pragma once

#include <QStringList>

// A well-behaved program beside an attacker: "REGION…" are regions that others share with it. It
// says "ready", works until a line comes, and then says
//   done ROUNDS P99 WORST HELD   the microseconds that allocating, mapping and giving back took
//                                 together, and the references it holds of the first region
// or what went wrong: a byte that was not its own, an operation that failed.
int run_victim(const QStringList& words);
