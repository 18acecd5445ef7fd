// SPDX-License-Identifier: MIT
#pragma once

// A program that allocates, uses and frees regions of mixed sizes without end. Speaks lines on its
// standard input and output:
//   settlers ID…  regions that lie still elsewhere, to be read now and then   "ok"
//   work N        N allocations, and as many frees as keep its hands full     "did <Use>"
//   empty         frees what it has left                                      "did <Use>"
// where <Use> is what it uses itself: "<descriptors> <mappings> <KiB of its own memory>". Its exit
// status: 0 at the end of input, 3 when something was not as promised.
int run_churner(unsigned seed);
