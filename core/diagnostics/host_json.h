// SPDX-License-Identifier: MIT
// A survey of the host as JSON: what the command line prints, a bundle keeps and the monitor reads.
#pragma once

#include <QJsonObject>

#include "base/result.h"
#include "survey/host_survey.h"

namespace snakepit::shm {

// Times are RFC 3339 UTC, sizes bytes, permission bits octal in a text. What there is not is null.
// "balance" is what the kernel counts as shared memory ("shmem"), what was found ("listed") and the
// difference ("unlisted", which may be negative); "places" are the file systems of memory.
QJsonObject host_segment_json(const HostSegment& segment);
QJsonObject host_json(const HostSurvey& survey);

// What it does not say is empty, and what it says more is passed over: it may be of another
// release. protocol_error when there is no list of segments, one has no name, or its kind or
// verdict is none.
Result<HostSurvey> parse_host(const QJsonObject& survey);

}  // namespace snakepit::shm
