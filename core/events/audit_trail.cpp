// SPDX-License-Identifier: MIT
#include "events/audit_trail.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "events/audit_tables.h"
#include "events/event_detail.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kKeepEveryRows = 1000;
constexpr std::int64_t kKeepEveryMicros = 3'600'000'000;
constexpr std::int64_t kHeadEveryMicros = 1'000'000;
constexpr std::int64_t kNever = -kHeadEveryMicros;
// An inserted row is skipped; one with a far greater number is ignored.
constexpr std::int64_t kInOurWay = 1 << 20;
constexpr int kCheckpointsTried = 1000;

}  // namespace

ChainWriter::ChainWriter(SQLite::Database& database, AuditTrail& trail, bool migrated)
    : database_(database),
      trail_(trail),
      foreign_(database, "SELECT max(seq) FROM events WHERE seq > ?1 AND seq < ?1 + ?2"),
      put_(database,
           "INSERT OR REPLACE INTO checkpoints(seq, chain, time, reason, signature) "
           "VALUES(?1, ?2, ?3, ?4, ?5)"),
      drop_(database, "DELETE FROM checkpoints WHERE seq = ?1") {
    const auto last = newest_row();
    if (!trail_.key) {
        trail_.known = last;
    } else if (migrated && !trail_.attached &&
               !read_head(trail_.head_file).value_or(Checkpoint{})) {
        trail_.known = {last.seq, {}};
        if (last.seq > 0) put(trail_.known, checkpoint_reason::migration);
    } else {
        trail_.known = newest_signed(last);
        compare();
    }
    trail_.attached = true;
    kept_ = tip_ = trail_.known;
    kept_at_ = boot_micros();
}

ChainPoint ChainWriter::newest_row() {
    SQLite::Statement newest(database_, "SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1");
    if (!newest.executeStep()) return {};
    return {newest.getColumn(0).getInt64(), digest_of(newest.getColumn(1)).value_or(Digest{})};
}

std::optional<Checkpoint> ChainWriter::newest_checkpoint() {
    SQLite::Statement newest(database_,
                             fmt::format("SELECT {} FROM checkpoints ORDER BY seq DESC LIMIT {}",
                                         kCheckpointColumns, kCheckpointsTried));
    bool forged = false;
    while (newest.executeStep()) {
        const auto checkpoint = checkpoint_of(newest);
        if (checkpoint && checkpoint->genuine(trail_.key->public_key())) return checkpoint;
        if (!forged) found_broken("a checkpoint is not signed by this instance");
        forged = true;
    }
    return std::nullopt;
}

ChainPoint ChainWriter::newest_signed(const ChainPoint& last) {
    ChainPoint newest = trail_.known;
    if (!trail_.attached) {
        const auto head = read_head(trail_.head_file);
        if (!head)
            found_broken("audit.head is damaged");
        else if (!*head && last.seq > 0)
            found_broken("audit.head is missing");
        else if (*head && !(*head)->genuine(trail_.key->public_key()))
            found_broken("audit.head is not signed by this instance");
        else if (*head)
            newest = (*head)->at;
    }
    if (const auto checkpoint = newest_checkpoint())
        if (checkpoint->at.seq > newest.seq) newest = checkpoint->at;
    if (newest.seq > 0 || last.seq == 0) return newest;
    found_broken("no signed checkpoint is left");
    return last;
}

// Whether the last signed row is in the database.
void ChainWriter::compare() {
    const auto& known = trail_.known;
    if (known.seq == 0) return;
    SQLite::Statement before(
        database_, "SELECT seq, chain FROM events WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1");
    before.bind(1, known.seq);
    const bool any = before.executeStep();
    const auto seq = any ? before.getColumn(0).getInt64() : 0;
    if (seq == known.seq) {
        // Rows from before the chain have none.
        const bool same = known.chain == Digest{} ||
                          digest_of(before.getColumn(1)).value_or(Digest{}) == known.chain;
        if (!same) found_broken(fmt::format("row {} is not as it was signed", known.seq));
        return;
    }
    auto finding = own_event(EventKind::rows_missing);
    finding.count = static_cast<std::uint32_t>(std::min<std::int64_t>(known.seq - seq, ~0U));
    finding.value = static_cast<std::uint64_t>(known.seq);
    findings_.push_back(finding);
    missing_ = known;
}

void ChainWriter::found_broken(std::string_view what) {
    auto finding = own_event(EventKind::audit_broken);
    std::memcpy(finding.text, what.data(), std::min(what.size(), sizeof finding.text));
    findings_.push_back(finding);
}

void ChainWriter::synchronous(bool full) {
    if (full == full_) return;
    database_.exec(full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    full_ = full;
}

bool ChainWriter::head_due() const {
    return trail_.key && boot_micros() - trail_.head_at >= kHeadEveryMicros;
}

// The row that audit.head will name must be on the disk first, or a power failure would look like a
// removal.
void ChainWriter::prepare(bool important) {
    synchronous(important || head_due());
}

void ChainWriter::begin() {
    tip_ = trail_.known;
    foreign_.bind(1, tip_.seq);
    foreign_.bind(2, kInOurWay);
    foreign_.executeStep();
    next_ = std::max(tip_.seq, foreign_.getColumn(0).getInt64()) + 1;
    foreign_.reset();
}

void ChainWriter::put(const ChainPoint& at, std::string_view reason) {
    if (!trail_.key) return;
    Checkpoint checkpoint{at, now(), std::string(reason), {}};
    if (!checkpoint.sign(*trail_.key))
        throw SQLite::Exception("a checkpoint cannot be signed", SQLITE_ERROR);
    put_.bind(1, at.seq);
    put_.bindNoCopy(2, at.chain.data(), static_cast<int>(at.chain.size()));
    put_.bind(3, checkpoint.time.micros);
    put_.bindNoCopy(4, checkpoint.reason);
    put_.bindNoCopy(5, checkpoint.signature.data(), static_cast<int>(checkpoint.signature.size()));
    put_.exec();
    put_.reset();
}

void ChainWriter::finish() {
    if (!trail_.key) return;
    if (missing_) put(*missing_, checkpoint_reason::missing);
    if (tip_ == trail_.known) return;
    put(tip_, checkpoint_reason::batch);
    signed_ = tip_.seq;
    if (rolling_ == 0) return;
    drop_.bind(1, rolling_);
    drop_.exec();
    drop_.reset();
}

void ChainWriter::committed() {
    const auto at = now();
    if (!(tip_ == trail_.known)) {
        const bool keep =
            tip_.seq - kept_.seq >= kKeepEveryRows || boot_micros() - kept_at_ >= kKeepEveryMicros;
        rolling_ = keep ? 0 : tip_.seq;
        if (keep) {
            kept_ = tip_;
            kept_at_ = boot_micros();
        }
    }
    trail_.known = tip_;
    missing_.reset();
    findings_.clear();
    if (!full_ || !head_due()) return;
    Checkpoint head{tip_, at, std::string(checkpoint_reason::head), {}};
    // On failure the previous one stays, and the next second retries.
    if (!head.sign(*trail_.key) || !write_head(trail_.head_file, head)) return;
    trail_.head_at = boot_micros();
    trail_.head_seq = tip_.seq;
}

void ChainWriter::settle() {
    trail_.head_at = kNever;
    prepare(true);
    SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
    begin();
    // A write, so that the commit waits for the disk. Never over an anchor.
    if (signed_ == tip_.seq) put(tip_, checkpoint_reason::stop);
    transaction.commit();
    committed();
}

// Rows up to this one are from a release without a chain.
std::int64_t ChainWriter::unchained() {
    SQLite::Statement migration(
        database_, fmt::format("SELECT {} FROM checkpoints WHERE reason = '{}'", kCheckpointColumns,
                               checkpoint_reason::migration));
    if (!migration.executeStep()) return 0;
    const auto checkpoint = checkpoint_of(migration);
    const bool ours = checkpoint && checkpoint->genuine(trail_.key->public_key());
    return ours ? checkpoint->at.seq : 0;
}

// The rows to remove end at a signed point, so that no changed row is signed again; rows from
// before the chain end anywhere.
std::optional<ChainPoint> ChainWriter::removable(Timestamp cutoff, std::int64_t keep) {
    SQLite::Statement first(database_, "SELECT seq, chain FROM events ORDER BY seq LIMIT 1");
    if (!first.executeStep()) return std::nullopt;
    const auto begin = first.getColumn(0).getInt64();
    if (first.getColumn(1).isNull()) {
        SQLite::Statement old(database_,
                              "SELECT max(seq) FROM (SELECT seq, time FROM events ORDER BY seq "
                              "LIMIT ?1) WHERE time < ?2 AND seq < ?3 AND seq <= ?4");
        old.bind(1, kRemovedAtOnce);
        old.bind(2, cutoff.micros);
        old.bind(3, keep);
        old.bind(4, unchained());
        if (!old.executeStep() || old.getColumn(0).isNull()) return std::nullopt;
        return ChainPoint{old.getColumn(0).getInt64(), {}};
    }
    SQLite::Statement old(
        database_, fmt::format("SELECT {} FROM checkpoints AS c WHERE seq >= ?1 AND seq < ?2 AND "
                               "seq < ?1 + ?3 AND (SELECT time FROM events WHERE seq = c.seq) < ?4 "
                               "ORDER BY seq DESC LIMIT 1",
                               kCheckpointColumns));
    old.bind(1, begin);
    old.bind(2, keep);
    old.bind(3, kRemovedAtOnce);
    old.bind(4, cutoff.micros);
    if (!old.executeStep()) return std::nullopt;
    const auto checkpoint = checkpoint_of(old);
    if (!checkpoint || !checkpoint->genuine(trail_.key->public_key())) return std::nullopt;
    return checkpoint->at;
}

ChainWriter::Removed ChainWriter::remove_before(Timestamp cutoff, std::int64_t keep) {
    if (!trail_.key) return {};
    synchronous(false);
    SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
    const auto at = removable(cutoff, std::min(keep, trail_.known.seq));
    if (!at) return {};
    const auto run = [&](const char* sql) {
        SQLite::Statement statement(database_, sql);
        statement.bind(1, at->seq);
        return statement.exec();
    };
    const Removed removed{run("DELETE FROM events WHERE seq <= ?1"), at->seq};
    run("DELETE FROM checkpoints WHERE seq <= ?1");
    put(*at, checkpoint_reason::retention);
    if (rolling_ <= at->seq) rolling_ = 0;
    transaction.commit();
    return removed;
}

}  // namespace snakepit::shm
