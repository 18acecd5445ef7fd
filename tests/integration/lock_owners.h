// SPDX-License-Identifier: MIT
// A program with more owners of locks than threads; run as `owners LOCKS SEED ID...`.
#pragma once

#include <QStringList>

// Prints "ready", and when LOCKS locks were granted "done LOCKS DEADLOCKS" or what went wrong. Then
// holds some locks until it is killed.
int run_lock_owners(const QStringList& words);
