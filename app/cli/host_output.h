// SPDX-License-Identifier: MIT
// Segments of the host as people and programs read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <QJsonObject>

#include "survey/host_survey.h"

namespace snakepit::shm::cli {

// What was left behind first, then what is largest.
void sort_by_interest(std::vector<HostSegment>& segments);

// Whether a person means it by `word`: its name as the table shows it, or as it is.
bool is_meant(const HostSegment& segment, std::string_view word);
// For JSON, which has no other texts: names that are no UTF-8 with escapes.
HostSegment in_unicode(HostSegment segment);

// "python3 (7) +2", "none", "none seen".
std::string users_of(const HostSegment& segment);

QJsonObject clean_item_json(const HostCleanItem& item);
// Each with what became of it, or would become of it, and why.
std::string clean_items(const std::vector<HostCleanItem>& items, bool dry_run);

std::string host_table(const std::vector<HostSegment>& segments);
// What all of them take, limits, and what of the host's shared memory is not among them. `shown`:
// those that the table has.
std::string host_summary(const HostSurvey& survey, const std::vector<HostSegment>& shown);
// Everything of one segment, its evidence a line each.
std::string host_details(const HostSegment& segment);

}  // namespace snakepit::shm::cli
