// SPDX-License-Identifier: MIT
// Segments of the host as people and programs read them.
#pragma once

#include <string>
#include <vector>

#include <QJsonObject>

#include "survey/host_survey.h"

namespace snakepit::shm::cli {

// What was left behind first, then what is largest.
void sort_by_interest(std::vector<HostSegment>& segments);

QJsonObject clean_item_json(const HostCleanItem& item);

std::string host_table(const std::vector<HostSegment>& segments);
// Everything of one segment, its evidence a line each.
std::string host_details(const HostSegment& segment);

}  // namespace snakepit::shm::cli
