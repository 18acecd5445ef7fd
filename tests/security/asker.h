// SPDX-License-Identifier: MIT
#pragma once

// A client that another process tells what to do, a line at a time: connect, allocate, list, map
// ID, lock ID, and what changes who it is: become UID, become-effective UID (all threads), as UID
// COMMAND… (one thread); refused N: connects so often and tells how often it was not told why not.
// With `threads` its first thread has ended before it answers anything. Answers "ok …" or "<code>
// <sentence>".
int run_asker(bool first_thread_ends);
