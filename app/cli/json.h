// SPDX-License-Identifier: MIT
// The one place where what the command line prints becomes JSON. Times are RFC 3339 UTC, sizes
// bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QJsonValue>

#include "base/error.h"
#include "base/region.h"
#include "base/result.h"
#include "events/event_reader.h"
#include "layout/registry_layout.h"
#include "layout/registry_reader.h"

namespace snakepit::shm::cli {

QJsonValue json(std::uint64_t number);
QJsonValue json(std::int64_t number);
QString text(std::string_view utf8);
std::string str(const QJsonValue& value);
// Null for "never".
QJsonValue json(Timestamp time);

// A region. `mapped_addresses` is there only for
// one region at a time (`info`).
QJsonObject region_json(const RegionInfo& region, bool with_addresses = false);
QJsonObject event_json(const EventRow& event);
QJsonObject cleanup_json(const CleanupResult& result);
QJsonObject locks_json(const RegionLocks& locks);
QJsonObject client_json(const ClientInfo& client);
QJsonObject sample_json(const layout::Sample& sample);
// {"error": {…}} with the context of the error.
QJsonObject error_json(const Error& error);

// A JSON object from text: what a manager's report or an event's detail holds. protocol_error for
// anything else.
Result<QJsonObject> parse_object(std::string_view text);
// Of what a manager answers when it has read its configuration again.
std::vector<std::string> keys_needing_restart(std::string_view answer);

}  // namespace snakepit::shm::cli
