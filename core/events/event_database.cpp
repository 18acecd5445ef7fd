// SPDX-License-Identifier: MIT
#include "events/event_database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/ids.h"
#include "events/event_detail.h"
#include "events/guarded.h"
#include "layout/event_kind.h"

namespace snakepit::shm {

namespace fs = std::filesystem;
using layout::EventEntry;

namespace {

constexpr int kBusyMillis = 200;  // short: the destructor of the recorder has two seconds

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
    UNIQUE(epoch, ring_seq));
CREATE INDEX events_region ON events(region_id) WHERE region_id IS NOT NULL;
)";

// A row that is there already is the same event: `last()` makes that impossible unless somebody
// else wrote to the table, and then it must not stop the recording.
constexpr const char* kInsert =
    "INSERT INTO events(epoch, ring_seq, time, kind, region_id, pid, uid, result, detail) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(epoch, ring_seq) DO NOTHING";

Error explain(const std::string& path, const SQLite::Exception& exception) {
    const auto code = exception.getErrorCode() & 0xFF;
    const auto what = fmt::format("{}: {}", path, exception.what());
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return make_error(ErrorCode::corruption_detected, what,
                          "it is set aside and a new one begun");
    const char* remedy = "look at the file and its directory; recording is tried again";
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        remedy = "another program holds it locked; end that one";
    if (code == SQLITE_FULL) remedy = "its file system is full: free space";
    if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        remedy = "let the manager's user write the file and its directory";
    return make_error(ErrorCode::database_unavailable, what, remedy);
}

auto explaining(const std::string& path) {
    return [&path](const SQLite::Exception& exception) { return explain(path, exception); };
}

// The inode, if the file has at least `smallest` bytes.
std::uint64_t inode_of(const std::string& path, off_t smallest) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && info.st_size >= smallest ? info.st_ino : 0;
}

}  // namespace

LogFiles log_files(const std::string& path) {
    constexpr off_t kIndexUnit = 32768;  // SQLite extends and maps the index by so much
    return {inode_of(path + "-wal", 0), inode_of(path + "-shm", kIndexUnit)};
}

struct EventDatabase::Private {
    Private(const std::string& name, std::uint64_t its_epoch)
        : path(name),
          epoch(static_cast<std::int64_t>(its_epoch)),
          database(name, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMillis) {}

    void prepare();
    void insert(const EventEntry& entry);

    std::string path;
    std::int64_t epoch;  // the column is signed; only equality counts
    SQLite::Database database;
    std::optional<SQLite::Statement> insert_statement;
    std::uint64_t last = 0;
    LogFiles log;
    std::string region_id, detail;  // kept to keep their memory
};

void EventDatabase::Private::prepare() {
    if (sqlite3_db_readonly(database.getHandle(), "main") == 1)
        throw SQLite::Exception("attempt to write a readonly database", SQLITE_READONLY);
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    if (version > kEventSchemaVersion)
        throw SQLite::Exception(fmt::format("made by a newer release (schema {})", version),
                                SQLITE_ERROR);
    // Readers without write permission can open a closed database only if the log stays.
    int keep = 1;
    sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    database.exec(
        "PRAGMA mmap_size=0; PRAGMA journal_size_limit=16777216; PRAGMA synchronous=NORMAL");
    if (database.execAndGet("PRAGMA journal_mode=WAL").getString() != "wal")
        throw SQLite::Exception("it cannot be switched to a write-ahead log", SQLITE_CANTOPEN);
    if (version == 0) {
        SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
        database.exec(kSchema);
        database.exec(fmt::format("PRAGMA user_version={}", kEventSchemaVersion));
        transaction.commit();
    }
    insert_statement.emplace(database, kInsert);
    insert_statement->bind(1, epoch);

    SQLite::Statement highest(database, "SELECT max(ring_seq) FROM events WHERE epoch=?");
    highest.bind(1, epoch);
    highest.executeStep();
    last = static_cast<std::uint64_t>(highest.getColumn(0).getInt64());
    log = log_files(path);
}

void EventDatabase::Private::insert(const EventEntry& entry) {
    auto& statement = *insert_statement;
    if (entry.seq > 0)
        statement.bind(2, static_cast<std::int64_t>(entry.seq));
    else
        statement.bind(2);
    statement.bind(3, entry.time);
    // Literals, which end with a zero, and strings that outlive the step: nothing needs a copy.
    statement.bindNoCopy(4, to_string(static_cast<EventKind>(entry.kind)).data());
    if (entry.id_micros > 0) {
        region_id = RegionId{entry.id_micros, entry.id_random}.str();
        statement.bindNoCopy(5, region_id);
    } else {
        statement.bind(5);
    }
    statement.bind(6, entry.pid);
    statement.bind(7, entry.uid);
    statement.bindNoCopy(
        8, entry.result == 0 ? "ok" : to_string(static_cast<ErrorCode>(entry.result)).data());
    write_detail(detail, entry);
    statement.bindNoCopy(9, detail);
    statement.exec();
    statement.reset();
}

EventDatabase::EventDatabase(std::unique_ptr<Private> d) : d_(std::move(d)) {}
EventDatabase::EventDatabase(EventDatabase&&) noexcept = default;
EventDatabase& EventDatabase::operator=(EventDatabase&&) noexcept = default;
EventDatabase::~EventDatabase() {
    const IndexGuard guard;  // closing writes the log back
    d_.reset();
}

Result<EventDatabase> EventDatabase::open(const std::string& path, std::uint64_t epoch) {
    std::error_code ignored;
    const bool is_new = !fs::exists(path, ignored);
    return guarded(path, explaining(path), [&] {
        auto d = std::make_unique<Private>(path, epoch);
        // By name and not through a descriptor of our own: closing one would drop SQLite's locks.
        if (is_new) fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, ignored);
        d->prepare();
        return EventDatabase(std::move(d));
    });
}

std::uint64_t EventDatabase::last() const {
    return d_->last;
}

Status EventDatabase::write(std::span<const EventEntry> entries) {
    auto highest = guarded(d_->path, explaining(d_->path), [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        auto last = d_->last;
        for (const auto& entry : entries) {
            d_->insert(entry);
            last = std::max(last, entry.seq);
        }
        transaction.commit();
        return last;
    });
    if (!highest) return fail(std::move(highest).error());
    d_->last = *highest;
    return {};
}

bool EventDatabase::moved() const {
    int moved = 0;
    sqlite3_file_control(d_->database.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0 || log_files(d_->path) != d_->log;
}

Result<std::string> set_aside(const std::string& path) {
    auto time = to_rfc3339(now());
    std::replace(time.begin(), time.end(), ':', '-');
    const auto target = fmt::format("{}.corrupt-{}", path, time);
    std::error_code error;
    fs::rename(path, target, error);
    if (error) return fail(system_error(error.value(), fmt::format("cannot set {} aside", path)));
    for (const auto* part : {"-wal", "-shm"}) {
        std::error_code absent;
        fs::rename(path + part, target + part, absent);
    }
    return target;
}

void remove_orphaned_log(const std::string& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return;
    for (const auto* part : {"-wal", "-shm"}) fs::remove(path + part, ignored);
}

}  // namespace snakepit::shm
