// SPDX-License-Identifier: MIT
#pragma once

#include <string>

// A program that holds one reference to a region and does, line by line, what it is told:
//   verify  "good" while the region's bytes are those it wrote      unmap, map   "ok" or an error
//   code fork    "child <pid> <what map() says in the child>"; the child then waits for ever adopt
//   as fork, and the child connects for itself and maps the region: "child <pid> ok" close   closes
//   every descriptor but the standard ones: "ok"     exec         becomes `sleep`
// Its exit status is 0 when its input ends.
int run_keeper(const std::string& region);
