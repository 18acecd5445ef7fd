// SPDX-License-Identifier: MIT
// The recorder's half of the chain: continues it, signs it, and detects a database that is not the
// one that was signed. The recorder's thread only.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/audit_chain.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// What the process knows of the chain, independent of the database. Without a key nothing is
// signed, and the database is trusted.
struct AuditTrail {
    std::shared_ptr<const SigningKey> key;
    std::string head_file;  // audit.head

    ChainPoint known;                   // the newest point that is certain
    bool attached = false;              // `known` counts: a database was open before
    std::int64_t head_at = -1'000'000;  // when audit.head was written last; boot time
    std::int64_t head_seq = 0;
};

// The chain in one open database. Everything throws SQLite::Exception.
class ChainWriter {
  public:
    // Finds where the chain continues: after the newest signed point in the database, in audit.head
    // or in this process's memory. Another program wrote any rows behind it; missing rows before it
    // become a finding. `migrated`: the existing rows are from a release without a chain.
    ChainWriter(SQLite::Database& database, AuditTrail& trail, bool migrated);

    // Events about a history that is not as it was signed; until the next commit.
    const std::vector<layout::EventEntry>& findings() const { return findings_; }
    // Rows with a greater number are not the recorder's.
    std::int64_t trusted() const { return trail_.known.seq; }

    // A transaction: prepare(), BEGIN, begin(), for each row row(), link() and accept() if it was
    // inserted, finish(), COMMIT, committed(). `important`: it is on the disk when that returns.
    void prepare(bool important);
    void begin();
    std::int64_t next() const { return next_; }
    // For the row's values, `next()` first.
    RowDigest& row() {
        digest_.begin(tip_.chain);
        return digest_;
    }
    const Digest& link() { return linked_ = digest_.finish(); }
    void accept() { tip_ = {next_++, linked_}; }
    void finish();
    void committed();

    bool head_due() const;  // a second has passed since it was written
    // For a stop, or a pause of the events: audit.head is brought up to date.
    bool head_is_behind() const { return trail_.key && trail_.head_seq < trail_.known.seq; }
    void settle();

    // A transaction: removes a bounded number of rows older than `cutoff`, from the oldest on, and
    // leaves a signed anchor in their place. `keep`: this row and later ones stay.
    struct Removed {
        std::int64_t rows = 0;
        std::int64_t up_to = 0;
    };
    static constexpr std::int64_t kRemovedAtOnce = 5000;
    Removed remove_before(Timestamp cutoff, std::int64_t keep);

  private:
    ChainPoint newest_row();
    std::optional<Checkpoint> newest_checkpoint();
    ChainPoint newest_signed(const ChainPoint& last);
    void compare();
    void found_broken(std::string_view what);
    std::int64_t unchained();
    std::optional<ChainPoint> removable(Timestamp cutoff, std::int64_t keep);
    void put(const ChainPoint& at, std::string_view reason);
    void synchronous(bool full);

    SQLite::Database& database_;
    AuditTrail& trail_;
    SQLite::Statement foreign_, put_, drop_;
    RowDigest digest_;
    std::vector<layout::EventEntry> findings_;
    std::optional<ChainPoint> missing_;  // an anchor that is due
    ChainPoint tip_;                     // of the transaction
    std::int64_t next_ = 1;
    Digest linked_{};
    std::int64_t rolling_ = 0;  // the last batch's checkpoint, dropped by the next; 0: kept
    std::int64_t signed_ = 0;   // the last batch's checkpoint
    ChainPoint kept_;           // the last one that stays
    std::int64_t kept_at_ = 0;  // boot time
    bool full_ = false;
};

}  // namespace snakepit::shm
