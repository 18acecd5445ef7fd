// SPDX-License-Identifier: MIT
// Arrangements around segments that programs really make, with what a survey has to say of them.
#pragma once

#include <vector>

namespace snakepit::shm::test {

// What the survey has to find of segments whose programs were all killed.
struct Wanted {
    const char* verdicts;  // one of these
    int confidence = 0;    // percent, at least
    bool offered = false;  // unasked
};

struct DeadArrangement {
    const char* name;
    const char* script;  // of programs/host_actor.py
    Wanted of_user;      // of a user without other processes
    Wanted of_root;
};
std::vector<DeadArrangement> dead_arrangements();

// None of their segments may be offered unasked.
struct LivingArrangement {
    const char* name;
    const char* script;
    // Somebody has them open, mapped or attached: not to be removed, whatever is said.
    bool held = false;
};
std::vector<LivingArrangement> living_arrangements();
// Those of them that no list of descriptors and mappings shows.
std::vector<LivingArrangement> living_in_the_kernel();

}  // namespace snakepit::shm::test
