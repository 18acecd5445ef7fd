// SPDX-License-Identifier: MIT
// What was found out about segments while processes had them mapped: the kernel does not tell it
// any more when they are left over.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "survey/host_survey.h"

namespace snakepit::shm {

// Names a segment among all since the host was started: device, inode and birth of a file; id and
// birth of a System V segment in its namespace.
std::string identity_of(const HostSegment& segment);

struct RememberedSegment {
    std::string group;     // the path of the control group that pays; empty: not told
    std::string program;   // that had it last; empty: none was seen
    Timestamp seen;        // when it was last in a survey
    bool changed = false;  // since it was saved
};

// One thread.
class SegmentMemory {
  public:
    using Segments = std::unordered_map<std::string, RememberedSegment>;

    // Null: nothing is known about it.
    const RememberedSegment* find(const std::string& identity) const;
    void put(const std::string& identity, RememberedSegment what);
    // Notes what `survey` shows. Forgets segments that none showed for an hour, and returns them:
    // they do not exist any more.
    std::vector<std::string> follow(const HostSurvey& survey);
    const Segments& segments() const { return segments_; }
    Segments& segments() { return segments_; }

  private:
    Segments segments_;
};

}  // namespace snakepit::shm
