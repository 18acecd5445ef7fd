// SPDX-License-Identifier: MIT
#include "events/event_database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/ids.h"
#include "events/event_detail.h"
#include "events/event_schema.h"
#include "events/retention_clock.h"
#include "layout/event_kind.h"
#include "sqlite/database_file.h"

namespace snakepit::shm {

using layout::EventEntry;

namespace {

constexpr const char* kInsert =
    "INSERT INTO events(seq, epoch, ring_seq, time, kind, region_id, pid, uid, result, detail, "
    "chain) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
    "ON CONFLICT(epoch, ring_seq) DO NOTHING";
// Another program's row that took an event's place in the ring loses it.
constexpr const char* kMakeWay =
    "UPDATE events SET ring_seq = NULL WHERE epoch = ?1 AND ring_seq = ?2 AND seq > ?3";

// On the disk at the commit, and not only at the next checkpoint of the log.
bool is_important(const EventEntry& entry) {
    constexpr std::uint16_t kFirstOfSecurity = 40;  // audit, policies, isolation, keys
    if (entry.kind >= kFirstOfSecurity) return true;
    switch (static_cast<EventKind>(entry.kind)) {
        case EventKind::refused:
        case EventKind::config_loaded:
        case EventKind::config_refused:
        case EventKind::damaged:
        case EventKind::registry_reset:
        case EventKind::database_reopened:
        case EventKind::gap:
        case EventKind::client_hostile:
        case EventKind::lock_forced:
            return true;
        default:
            return false;
    }
}

}  // namespace

struct EventDatabase::Private : DatabaseWriter {
    Private(const std::string& name, std::uint64_t its_epoch, AuditTrail* its_trail)
        : DatabaseWriter(name),
          trail(its_trail ? its_trail : &own_trail),
          epoch(static_cast<std::int64_t>(its_epoch)) {}

    void prepare();
    void insert(const EventEntry& entry);
    bool step();
    bool make_way(std::uint64_t ring_seq);

    AuditTrail own_trail, *trail;
    std::int64_t epoch;  // the column is signed; only equality counts
    std::optional<SQLite::Statement> insert_statement, make_way_statement;
    std::optional<ChainWriter> chain;
    std::uint64_t last = 0;
    RetentionClock retention;
    std::string region_id, detail;  // kept to keep their memory
};

void EventDatabase::Private::prepare() {
    const int version = prepare_log(kEventSchemaVersion, false);
    if (version < kEventSchemaVersion) {
        // With the checkpoint that names the rows without a chain, or it could be forged later.
        SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
        const bool migrated = prepare_schema(database, version);
        chain.emplace(database, *trail, migrated);
        transaction.commit();
    } else {
        chain.emplace(database, *trail, false);
    }
    insert_statement.emplace(database, kInsert);
    make_way_statement.emplace(database, kMakeWay);

    SQLite::Statement highest(database,
                              "SELECT max(ring_seq) FROM events WHERE epoch = ?1 AND seq <= ?2");
    highest.bind(1, epoch);
    highest.bind(2, chain->trusted());
    highest.executeStep();
    last = static_cast<std::uint64_t>(highest.getColumn(0).getInt64());
    note_log();
}

void EventDatabase::Private::insert(const EventEntry& entry) {
    auto& statement = *insert_statement;
    auto& row = chain->row();
    const auto number = [&](int index, std::int64_t value) {
        statement.bind(index, value);
        row.add(value);
    };
    // Literals, which end with a zero, and strings that outlive the step: nothing needs a copy.
    const auto words = [&](int index, std::string_view text) {
        statement.bindNoCopy(index, text.data());
        row.add(text);
    };
    const auto nothing = [&](int index) {
        statement.bind(index);
        row.add_null();
    };
    number(1, chain->next());
    number(2, epoch);
    if (entry.seq > 0)
        number(3, static_cast<std::int64_t>(entry.seq));
    else
        nothing(3);
    number(4, entry.time);
    words(5, to_string(static_cast<EventKind>(entry.kind)));
    if (entry.id_micros > 0) {
        region_id = RegionId{entry.id_micros, entry.id_random}.str();
        words(6, region_id);
    } else {
        nothing(6);
    }
    number(7, entry.pid);
    number(8, entry.uid);
    words(9, entry.result == 0 ? "ok" : to_string(static_cast<ErrorCode>(entry.result)));
    write_detail(detail, entry);
    words(10, detail);
    const auto& link = chain->link();
    statement.bindNoCopy(11, link.data(), static_cast<int>(link.size()));
    if (step() || (make_way(entry.seq) && step())) chain->accept();
}

// False: the row in the event's place of the ring is the same event.
bool EventDatabase::Private::make_way(std::uint64_t ring_seq) {
    auto& statement = *make_way_statement;
    statement.bind(1, epoch);
    statement.bind(2, static_cast<std::int64_t>(ring_seq));
    statement.bind(3, chain->trusted());
    const bool freed = statement.exec() > 0;
    statement.reset();
    return freed;
}

bool EventDatabase::Private::step() {
    const bool inserted = insert_statement->exec() > 0;
    insert_statement->reset();
    return inserted;
}

EventDatabase::EventDatabase(std::unique_ptr<Private> d) : d_(std::move(d)) {}
EventDatabase::EventDatabase(EventDatabase&&) noexcept = default;
EventDatabase& EventDatabase::operator=(EventDatabase&&) noexcept = default;
EventDatabase::~EventDatabase() {
    const IndexGuard guard;  // closing writes the log back
    d_.reset();
}

Result<EventDatabase> EventDatabase::open(const std::string& path, std::uint64_t epoch,
                                          AuditTrail* trail) {
    return guarded(path, [&] {
        auto d = std::make_unique<Private>(path, epoch, trail);
        d->prepare();
        return EventDatabase(std::move(d));
    });
}

std::uint64_t EventDatabase::last() const {
    return d_->last;
}

const std::vector<EventEntry>& EventDatabase::findings() const {
    return d_->chain->findings();
}

Status EventDatabase::write(std::span<const EventEntry> entries) {
    auto highest = guarded(d_->path, [&] {
        d_->chain->prepare(std::any_of(entries.begin(), entries.end(), is_important));
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        d_->chain->begin();
        auto last = d_->last;
        for (const auto& entry : entries) {
            d_->insert(entry);
            last = std::max(last, entry.seq);
        }
        d_->chain->finish();
        transaction.commit();
        d_->chain->committed();
        return last;
    });
    if (!highest) return fail(std::move(highest).error());
    d_->last = *highest;
    return {};
}

Status EventDatabase::settle(bool at_once) {
    if (!d_->chain->head_is_behind() || !(at_once || d_->chain->head_due())) return {};
    return guarded(d_->path, [&] { d_->chain->settle(); });
}

Result<Timestamp> EventDatabase::retention_time(std::int64_t kept_ms) {
    return guarded(d_->path, [&] {
        const auto at = now();
        SQLite::Statement oldest(d_->database, "SELECT time FROM events ORDER BY seq LIMIT 1");
        const auto kept =
            oldest.executeStep() ? Timestamp{oldest.getColumn(0).getInt64() + kept_ms * 1000} : at;
        oldest.reset();
        return d_->retention.follow(d_->database, at, kept);
    });
}

Result<ChainWriter::Removed> EventDatabase::remove_before(Timestamp cutoff) {
    return guarded(d_->path, [&] {
        // The newest row of this ring says where to go on.
        SQLite::Statement newest(d_->database,
                                 "SELECT seq FROM events WHERE epoch = ?1 AND ring_seq = ?2");
        newest.bind(1, d_->epoch);
        newest.bind(2, static_cast<std::int64_t>(d_->last));
        const auto keep = newest.executeStep() ? newest.getColumn(0).getInt64()
                                               : std::numeric_limits<std::int64_t>::max();
        newest.reset();
        // Rows that a wall clock set far back wrote look old; what was written before them is not.
        SQLite::Statement young(d_->database,
                                "SELECT min(seq) FROM (SELECT seq, time FROM events ORDER BY seq "
                                "LIMIT ?1) WHERE time >= ?2 AND time <= ?3");
        young.bind(1, ChainWriter::kRemovedAtOnce);
        young.bind(2, cutoff.micros);
        young.bind(3, d_->retention.latest(now()).micros);
        const auto stays = young.executeStep() && !young.getColumn(0).isNull()
                               ? young.getColumn(0).getInt64()
                               : keep;
        young.reset();
        return d_->chain->remove_before(cutoff, std::min(keep, stays));
    });
}

Result<std::uint64_t> EventDatabase::used_bytes() {
    return guarded(d_->path, [&] { return d_->used_bytes(); });
}

bool EventDatabase::moved() const {
    return d_->moved();
}

}  // namespace snakepit::shm
