// SPDX-License-Identifier: MIT
#pragma once

// A program that uses shared memory in every way, and checks what it reads. Speaks lines on its
// standard input and output: "?" makes it wait and say what it has, "!" lets it go on, end of input
// ends it. What it says:
//   hold <id> <references>                      by the client library's own words
//   whole <id>                                  it has seen every page of it marked
//   zeroed <id>                                 it was whole, and is not any more: taken by force?
//   lock <id> <token> <levels of reading> <levels of writing>
//   lost <id> <token>                           a lock the manager took from it
//   end
// Its exit status: 0 asked to end, 3 a region it held changed under its hands or an operation
// failed in a way it must not.
int run_holder(unsigned seed);
