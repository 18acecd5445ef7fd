// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/audit_chain.h"
#include "sqlite/read_connection.h"

namespace snakepit::shm {

inline constexpr int kPageRows = 1000;  // of the history, read at once

// A row as it is chained, whatever the types of its columns.
struct ChainedRow {
    std::int64_t seq = 0;
    std::string values;           // RowDigest::values of the columns after seq
    std::optional<Digest> chain;  // nothing: NULL, or not a digest
    bool unchained = false;       // it is NULL
    Timestamp time;
    std::string kind, detail;
};

// Some rows and the checkpoints among them, as of one moment.
struct HistoryPage {
    std::vector<ChainedRow> rows;
    std::vector<Checkpoint> checkpoints;
    bool last = false;                   // there are no more rows
    std::int64_t newest_checkpoint = 0;  // of all, by number
    std::int64_t highest_seq = 0;        // that was ever given out
};

// The first `limit` rows after `after`. A short transaction, so that the writer's log stays small.
Result<HistoryPage> read_history(ReadConnection& connection, std::int64_t after, int limit);

// False: an earlier release without a chain created it.
Result<bool> has_history(ReadConnection& connection);

}  // namespace snakepit::shm
