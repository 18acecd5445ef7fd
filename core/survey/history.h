// SPDX-License-Identifier: MIT
// What the recorded origin of a segment proves about it.
#pragma once

#include <string>
#include <vector>

#include "survey/evidence.h"

namespace snakepit::shm::survey {

// Whether a recorded process is running: this one, not another with its pid.
Life life_of(const RecordedProcess& process, const ProcessView& processes);

// "It was made by train.py (process 4711 of container 0123456789ab, ended 03:12:44 UTC)."
std::string maker_sentence(const RecordedProcess& maker, Life life, Timestamp now);

struct RecordedHistory {
    History history = History::not_told;
    bool user_lives = false;   // a process other than its maker that opened it
    bool for_one_run = false;  // see Evidence::made_for_one_run
    std::vector<std::string> sentences;
};

// `known`: the program with such names; null: none.
RecordedHistory weigh_history(const HostSegment& segment, const Origin& origin,
                              const KnownProgram* known, const Setting& setting);

}  // namespace snakepit::shm::survey
