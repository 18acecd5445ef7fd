// SPDX-License-Identifier: MIT
// Segments of the host as people and programs read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <QJsonObject>

#include "survey/host_survey.h"
#include "table.h"

namespace snakepit::shm::cli {

// Left-over segments first, then the largest.
void sort_by_interest(std::vector<HostSegment>& segments);

// `word` names it: as the table shows it, or as it is.
bool is_meant(const HostSegment& segment, std::string_view word);
// For JSON, which has no other texts: names that are not UTF-8 with escapes, and so, to be told
// from them, names with a backslash.
HostSegment in_unicode(HostSegment segment);

// "python3 (7) +2", "none", "none seen".
std::string users_of(const HostSegment& segment);

QJsonObject clean_item_json(const HostCleanItem& item);
// Each with its outcome and the reason.
std::string clean_items(const std::vector<HostCleanItem>& items, bool dry_run);

Table host_table(const std::vector<HostSegment>& segments);
// Their sums, limits, and shared memory of the host that is not among them. `shown`: those that the
// table has.
std::string host_summary(const HostSurvey& survey, const std::vector<HostSegment>& shown);
// Everything of one segment, its evidence a line each.
std::string host_details(const HostSegment& segment);

}  // namespace snakepit::shm::cli
