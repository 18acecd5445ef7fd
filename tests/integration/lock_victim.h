// SPDX-License-Identifier: MIT
// A program that locks regions without end, and is killed in the middle of that; run as
// `victim SEED OWN ID...`.
#pragma once

#include <QStringList>

// Prints "ready". Prefers region number OWN. Ends only when something is wrong, and says what.
int run_lock_victim(const QStringList& words);
