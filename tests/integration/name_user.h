// SPDX-License-Identifier: MIT
#pragma once

// A program over the C interface that another process tells what to do, a line at a time; names and
// ids have no spaces:
//   allocate NAME SIZE [keep|grace|withdraw]   "ok ID" or the error's name
//   open NAME SIZE       "ok created ID", "ok opened ID" or the error's name; mapped under NAME
//   map WORD             maps it for writing: "ok SIZE"; kept until unmap
//   put WORD TEXT, get WORD      the first bytes of what was mapped under this word
//   unmap WORD, deallocate WORD, resolve WORD, lock WORD, unlock WORD
int run_name_user();
