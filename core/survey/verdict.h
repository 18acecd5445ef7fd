// SPDX-License-Identifier: MIT
// What to think of a segment, from the evidence alone.
#pragma once

#include "survey/evidence.h"

namespace snakepit::shm::survey {

struct Judgement {
    SegmentVerdict verdict = SegmentVerdict::unknown;
    int confidence = 0;            // percent
    int confidence_if_unused = 0;  // percent, see HostSegment
};

// Certain (kCertain or more) that a segment was left over is only what nobody can find again by
// design, nobody has, and of which nobody lives who may know of it.
Judgement decide(const Evidence& evidence);

// The one objection against a removal by name that its user may override.
bool creator_may_live(const Evidence& evidence);

// Weighs and decides, and fills in what the segment says of it.
void judge(HostSegment& segment, const Setting& setting, const Origin* origin = nullptr);

}  // namespace snakepit::shm::survey
