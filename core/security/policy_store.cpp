// SPDX-License-Identifier: MIT
#include "security/policy_store.h"

#include <sqlite3.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include <optional>

#include <fmt/format.h>

#include "events/database_file.h"
#include "events/guarded.h"
#include "security/policy_text.h"

namespace snakepit::shm {

namespace {

constexpr int kBusyMillis = 2000;
constexpr auto kSchema =
    "CREATE TABLE IF NOT EXISTS policies(region_id TEXT PRIMARY KEY, policy TEXT NOT NULL, "
    "revision INTEGER NOT NULL, boot TEXT NOT NULL, changed_at INTEGER NOT NULL, "
    "changed_by_uid INTEGER NOT NULL, changed_by_pid INTEGER NOT NULL) WITHOUT ROWID";

// No database, or one that is damaged.
bool damaged(const SQLite::Exception& exception) {
    return exception.getErrorCode() == SQLITE_CORRUPT || exception.getErrorCode() == SQLITE_NOTADB;
}

}  // namespace

struct PolicyStore::Private {
    Private(std::string its_path, std::string its_boot)
        : path(std::move(its_path)), boot(std::move(its_boot)) {}
    ~Private() { close(); }

    const std::string path, boot;
    std::optional<SQLite::Database> database;

    void prepare() {
        database.emplace(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMillis);
        refuse_commits_after_faults(*database);
        database->exec("PRAGMA mmap_size=0; PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL");
        database->exec(kSchema);
        ::chmod(path.c_str(), 0600);
    }

    Error explain(const SQLite::Exception& exception) const {
        return make_error(ErrorCode::database_unavailable,
                          fmt::format("{}: {}", path, exception.what()),
                          "free space on its file system, and let the manager's user write it");
    }

    void close() {
        const IndexGuard guard;  // closing writes the log back
        database.reset();
    }

    // Runs `work` on the open database; after a failure the next call opens it anew.
    template <typename Work>
    Status with(Work work) {
        const auto done = guarded(
            path, [this](const SQLite::Exception& exception) { return explain(exception); },
            [&] {
                if (!database) prepare();
                work(*database);
                return true;
            });
        if (done) return {};
        if (database) keep_log_when_closed(*database);
        close();
        return fail(done.error());
    }
};

PolicyStore::PolicyStore(std::string path, std::string boot)
    : d_(std::make_unique<Private>(std::move(path), std::move(boot))) {}
PolicyStore::PolicyStore(PolicyStore&&) noexcept = default;
PolicyStore::~PolicyStore() = default;

Status PolicyStore::open(std::string& note) {
    for (const bool again : {false, true}) {
        const IndexGuard guard;
        try {
            d_->prepare();
            // A database that is damaged further in is found now and not at a decision.
            if (d_->database->execAndGet("PRAGMA quick_check(1)").getString() != "ok")
                throw SQLite::Exception("it is damaged", SQLITE_CORRUPT);
            return {};
        } catch (const SQLite::Exception& exception) {
            d_->database.reset();
            if (again || guard.faulted() || !damaged(exception))
                return fail(d_->explain(exception));
            SHM_ASSIGN(const auto kept, set_aside(d_->path));
            note = fmt::format("{} was no usable database and is now {}", d_->path, kept);
        }
    }
    return {};
}

Result<std::vector<StoredPolicy>> PolicyStore::load(std::string& note) {
    std::vector<StoredPolicy> out;
    SHM_TRY(d_->with([&](SQLite::Database& database) {
        SQLite::Statement rows(database,
                               "SELECT region_id, policy, revision, boot, changed_at, "
                               "changed_by_uid, changed_by_pid FROM policies");
        while (rows.executeStep()) {
            const auto id = RegionId::parse(rows.getColumn(0).getString());
            auto policy = parse_policy(rows.getColumn(1).getString(), "its row");
            if (!id || !policy) {
                note = fmt::format("{}: {}", rows.getColumn(0).getString(),
                                   id ? policy.error().message : id.error().message);
                continue;
            }
            if (rows.getColumn(3).getString() != d_->boot)
                for (auto& rule : policy->rules)
                    if (rule.process != 0) rule.process_start = -1;
            out.push_back({*id, static_cast<std::uint32_t>(rows.getColumn(2).getInt64()),
                           std::move(*policy), Timestamp{rows.getColumn(4).getInt64()},
                           static_cast<std::uint32_t>(rows.getColumn(5).getInt64()),
                           rows.getColumn(6).getInt64()});
        }
    }));
    return out;
}

Status PolicyStore::save(const StoredPolicy& row, bool lasting) {
    return d_->with([&](SQLite::Database& database) {
        database.exec(lasting ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
        SQLite::Statement insert(
            database,
            "INSERT OR REPLACE INTO policies(region_id, policy, revision, boot, changed_at, "
            "changed_by_uid, changed_by_pid) VALUES(?,?,?,?,?,?,?)");
        insert.bind(1, row.id.str());
        insert.bind(2, to_json(row.policy));
        insert.bind(3, static_cast<std::int64_t>(row.revision));
        insert.bind(4, d_->boot);
        insert.bind(5, static_cast<std::int64_t>(row.changed_at.micros));
        insert.bind(6, static_cast<std::int64_t>(row.changed_by_uid));
        insert.bind(7, static_cast<std::int64_t>(row.changed_by_pid));
        insert.exec();
    });
}

Status PolicyStore::remove(const RegionId& id) {
    return d_->with([&](SQLite::Database& database) {
        database.exec("PRAGMA synchronous=NORMAL");  // one that stays is removed at the next start
        SQLite::Statement gone(database, "DELETE FROM policies WHERE region_id=?");
        gone.bind(1, id.str());
        gone.exec();
    });
}

}  // namespace snakepit::shm
