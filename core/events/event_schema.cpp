// SPDX-License-Identifier: MIT
#include "events/event_schema.h"

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// The index ends with the rowid, which is seq: (region_id, seq) without storing seq twice.
constexpr const char* kSchema = R"(
CREATE TABLE events(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL,
    ring_seq INTEGER,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    region_id TEXT,
    pid INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    chain BLOB,
    UNIQUE(epoch, ring_seq));
CREATE INDEX events_region ON events(region_id) WHERE region_id IS NOT NULL;
)";

// The chain at a row, signed (audit_chain.h).
constexpr const char* kCheckpoints = R"(
CREATE TABLE IF NOT EXISTS checkpoints(
    seq INTEGER PRIMARY KEY,
    chain BLOB NOT NULL,
    time INTEGER NOT NULL,
    reason TEXT NOT NULL,
    signature BLOB NOT NULL);
)";

bool has_chain(SQLite::Database& database) {
    return database
               .execAndGet("SELECT count(*) FROM pragma_table_info('events') WHERE name = 'chain'")
               .getInt() > 0;
}

}  // namespace

bool prepare_schema(SQLite::Database& database, int version) {
    if (version >= kEventSchemaVersion) return false;
    const bool old = version > 0 && !has_chain(database);
    if (version == 0) database.exec(kSchema);
    if (old) database.exec("ALTER TABLE events ADD COLUMN chain BLOB");
    database.exec(kCheckpoints);
    database.exec(fmt::format("PRAGMA user_version={}", kEventSchemaVersion));
    return old;
}

}  // namespace snakepit::shm
