// SPDX-License-Identifier: MIT
#pragma once

#include <QStringList>

// A client of another user than the service and the owner of the regions, who was granted one to
// read and one to write, and tries everything on everything. Words: the service's and the keeper's
// process, the runtime, state and segment directories, and the regions: readable, writable, sealed,
// private in an arena, private alone. Prints "GOT <what>" for each try that should have failed and
// did not, "LOST <what>" for each that should have worked, and at the end "tried <number>".
int run_intruder(const QStringList& words);
