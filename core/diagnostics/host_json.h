// SPDX-License-Identifier: MIT
// A survey of the host as JSON: what the command line prints, a bundle keeps and the monitor reads.
#pragma once

#include <QJsonObject>

#include "base/result.h"
#include "survey/host_survey.h"

namespace snakepit::shm {

// Times are RFC 3339 UTC, sizes bytes, permission bits octal in a text. Missing values are null.
// "balance" is what the kernel counts as shared memory ("shmem"), what was found ("listed") and the
// difference ("unlisted", which may be negative); "places" are the file systems of memory. "payer"
// is the control group that pays for a segment, without "group" and with "reason" where that is not
// told; "groups" are their sums, and [] where payers were not looked for.
QJsonObject host_segment_json(const HostSegment& segment);
QJsonObject host_json(const HostSurvey& survey);

// It may be of another release: missing values are empty, and unknown members are ignored.
// protocol_error if the list of segments is missing, or a segment has no name or an unknown kind or
// verdict.
Result<HostSurvey> parse_host(const QJsonObject& survey);

}  // namespace snakepit::shm
