// SPDX-License-Identifier: MIT
#include "audit/verifier.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "audit/history_page.h"
#include "events/event_schema.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kFindings = 100;
constexpr std::size_t kNotes = 20;

// In the order of the rows; findings without a row come last.
std::int64_t place(const AuditFinding& finding) {
    return finding.first > 0 ? finding.first : std::numeric_limits<std::int64_t>::max();
}

class Verifier {
  public:
    Verifier(const std::string& path, const PublicKey& key) : connection_(path, kEventDatabase) {
        verdict_.key = key;
    }
    Result<AuditVerdict> run(bool head_expected);

  private:
    void take_head(bool expected);
    void take_checkpoints(const HistoryPage& page);
    Status take_row(const ChainedRow& row);
    bool links(const ChainedRow& row);
    bool behind_the_end(const ChainedRow& row) const {
        return page_.newest_checkpoint > 0 && row.seq > page_.newest_checkpoint;
    }
    void pass_retention(const ChainedRow& row);
    bool pass_gap(const ChainedRow& row);
    Status classify(const ChainedRow& row);
    void check_signed(const ChainedRow& row);
    void note_what_was_noticed(const ChainedRow& row);
    void finish();
    void finding(AuditProblem problem, std::int64_t first, std::int64_t last, std::string what,
                 const ChainedRow* row = nullptr);

    ReadConnection connection_;
    AuditVerdict verdict_;
    RowDigest digest_;
    std::optional<Checkpoint> head_;
    std::map<std::int64_t, Checkpoint> checkpoints_;  // genuine; of the page, and anchors
    HistoryPage page_;
    Digest previous_{};
    std::vector<Digest> others_;     // what may be the previous one, after a row that is not right
    std::int64_t seq_ = 0;           // of the row before
    std::int64_t unchained_to_ = 0;  // rows up to it may have no chain
    std::int64_t signed_ = 0;        // everything up to it was signed
    std::int64_t broken_ = 0;        // the last row with a finding
    std::int64_t forged_ = 0;
};

void Verifier::finding(AuditProblem problem, std::int64_t first, std::int64_t last,
                       std::string what, const ChainedRow* row) {
    ++verdict_.problems;
    broken_ = std::max(broken_, last);
    if (verdict_.findings.size() >= kFindings) return;
    verdict_.findings.push_back({problem, first, last, row ? row->time : Timestamp{},
                                 row ? row->kind : std::string(), std::move(what)});
}

void Verifier::take_head(bool expected) {
    const auto path =
        std::filesystem::path(connection_.path()).replace_filename("audit.head").string();
    auto head = read_head(path);
    if (head && !*head) {
        constexpr auto kAbsent =
            "audit.head is missing beside the database: an end that was truncated together with "
            "its checkpoints would not be detected";
        if (expected)
            finding(AuditProblem::unprotected, 0, 0, kAbsent);
        else
            verdict_.notes.emplace_back(kAbsent);
    } else if (!head || !(*head)->genuine(verdict_.key)) {
        finding(AuditProblem::forged, 0, 0, "audit.head is not signed by this key");
    } else {
        head_ = **head;
    }
}

void Verifier::take_checkpoints(const HistoryPage& page) {
    std::erase_if(checkpoints_, [](const auto& c) { return !c.second.anchor(); });
    for (const auto& checkpoint : page.checkpoints) {
        if (!checkpoint.genuine(verdict_.key)) {
            if (forged_++ == 0)
                finding(AuditProblem::forged, checkpoint.at.seq, checkpoint.at.seq,
                        fmt::format("the checkpoint at row {} is not signed by this key",
                                    checkpoint.at.seq));
            continue;
        }
        if (checkpoint.reason == checkpoint_reason::migration)
            unchained_to_ = std::max(unchained_to_, checkpoint.at.seq);
        checkpoints_[checkpoint.at.seq] = checkpoint;
    }
}

// Whether the row follows what is before it.
bool Verifier::links(const ChainedRow& row) {
    if (!row.chain) return false;
    if (digest_.of(previous_, row.seq, row.values) == *row.chain) return true;
    return std::any_of(others_.begin(), others_.end(), [&](const Digest& other) {
        return digest_.of(other, row.seq, row.values) == *row.chain;
    });
}

// Rows that were removed because they were old.
void Verifier::pass_retention(const ChainedRow& row) {
    for (const auto& [seq, anchor] : checkpoints_) {
        if (seq <= seq_ || seq >= row.seq || anchor.reason != checkpoint_reason::retention)
            continue;
        verdict_.removed_up_to = seq_ = seq;
        verdict_.removed_at = anchor.time;
        previous_ = anchor.at.chain;
    }
}

// Rows before this one are missing. False: the chain continues at this row as it is.
bool Verifier::pass_gap(const ChainedRow& row) {
    pass_retention(row);
    const auto first = seq_ + 1, last = row.seq - 1;
    if (first > last || row.seq <= unchained_to_) return true;
    const auto rows = first == last ? fmt::format("row {} is", first)
                                    : fmt::format("rows {} to {} are", first, last);
    const auto anchor = checkpoints_.find(last);
    if (anchor != checkpoints_.end() && anchor->second.reason == checkpoint_reason::missing) {
        previous_ = anchor->second.at.chain;
        finding(AuditProblem::missing, first, last,
                fmt::format("{} missing; the manager detected that at {}", rows,
                            to_rfc3339(anchor->second.time)));
        return true;
    }
    if (behind_the_end(row)) {
        finding(AuditProblem::inserted, row.seq, row.seq,
                fmt::format("row {} was inserted: the manager did not write it", row.seq), &row);
        return false;
    }
    if (seq_ > 0 && links(row)) {
        finding(
            AuditProblem::inserted, first, last,
            fmt::format("{} not written by the manager: another program inserted and removed them",
                        rows));
        return true;
    }
    finding(AuditProblem::missing, first, last, rows + " missing");
    return false;
}

// The row is in its place, but does not continue the chain.
Status Verifier::classify(const ChainedRow& row) {
    if (verdict_.findings.size() >= kFindings) {
        finding(AuditProblem::changed, row.seq, row.seq, {});
        return {};
    }
    SHM_ASSIGN(const auto later, read_history(connection_, row.seq, kPageRows));
    const auto follows = std::any_of(later.rows.begin(), later.rows.end(),
                                     [&](const ChainedRow& next) { return links(next); });
    if (follows || behind_the_end(row)) {
        finding(AuditProblem::inserted, row.seq, row.seq,
                fmt::format("row {} was inserted: the manager did not write it", row.seq), &row);
        others_.push_back(previous_);
        return {};
    }
    for (const auto& other : later.rows) {
        const auto here = digest_.of(previous_, row.seq, other.values);
        if (here != other.chain && here != row.chain) continue;
        finding(
            AuditProblem::reordered, row.seq, other.seq,
            fmt::format("row {} holds what was recorded elsewhere: it was exchanged with row {}",
                        row.seq, other.seq),
            &row);
        others_.push_back(here);
        return {};
    }
    finding(AuditProblem::changed, row.seq, row.seq, fmt::format("row {} was changed", row.seq),
            &row);
    others_.push_back(digest_.of(previous_, row.seq, row.values));
    return {};
}

void Verifier::check_signed(const ChainedRow& row) {
    if (const auto found = checkpoints_.find(row.seq); found != checkpoints_.end()) {
        const auto& checkpoint = found->second;
        if (row.chain.value_or(Digest{}) != checkpoint.at.chain && broken_ <= signed_)
            finding(
                AuditProblem::rewritten, signed_ + 1, row.seq,
                fmt::format(
                    "at least one of rows {} to {} was changed, and the chain after it recomputed",
                    signed_ + 1, row.seq),
                &row);
        ++verdict_.checkpoints;
        signed_ = row.seq;
        previous_ = checkpoint.at.chain;
        others_.clear();
        if (verdict_.clean() && verdict_.proven_first > 0) verdict_.proven_last = row.seq;
    }
    if (head_ && head_->at.seq == row.seq && row.chain.value_or(Digest{}) != head_->at.chain &&
        broken_ < row.seq)
        finding(AuditProblem::rewritten, row.seq, row.seq,
                fmt::format("row {} is not the one audit.head was signed for", row.seq), &row);
}

void Verifier::note_what_was_noticed(const ChainedRow& row) {
    if ((row.kind == "audit_broken" || row.kind == "gap") && verdict_.notes.size() < kNotes)
        verdict_.notes.push_back(fmt::format("row {} ({}) says: {} {}", row.seq,
                                             to_rfc3339(row.time), row.kind, row.detail));
}

Status Verifier::take_row(const ChainedRow& row) {
    ++verdict_.rows;
    if (verdict_.first == 0) verdict_.first = row.seq;
    verdict_.last = row.seq;
    note_what_was_noticed(row);
    bool follows = true;
    if (row.seq != seq_ + 1) follows = pass_gap(row);
    if (row.unchained && row.seq <= unchained_to_) {
        ++verdict_.unchained;
        previous_ = {};
    } else {
        if (verdict_.proven_first == 0) verdict_.proven_first = row.seq;
        if (follows) {
            const bool right = links(row);
            if (!right) SHM_TRY(classify(row));
            if (right) others_.clear();
        }
        if (row.chain) previous_ = *row.chain;
    }
    seq_ = row.seq;
    check_signed(row);
    return {};
}

void Verifier::finish() {
    auto& v = verdict_;
    auto end = head_ ? std::max(v.last, head_->at.seq) : v.last;
    for (const auto& [seq, checkpoint] : checkpoints_) end = std::max(end, seq);
    const bool signed_end = end > v.last;
    end = std::max(end, page_.highest_seq);
    if (end > v.last)
        finding(AuditProblem::tail_cut, v.last + 1, end,
                fmt::format("rows {} to {} were cut off the end: {}", v.last + 1, end,
                            signed_end ? "they were signed" : "their numbers were used"));
    if (v.last > std::max(signed_, unchained_to_) && broken_ < v.last) {
        if (signed_ == 0)
            finding(AuditProblem::unprotected, v.proven_first, v.last,
                    "nothing here is signed by this key");
        else
            finding(AuditProblem::inserted, signed_ + 1, v.last,
                    fmt::format("rows {} to {} are not signed: the manager did not write them",
                                signed_ + 1, v.last));
    }
    if (forged_ > 1)
        v.notes.push_back(fmt::format("{} checkpoints are not signed by this key", forged_));
    if (v.unchained > 0)
        v.notes.push_back(fmt::format(
            "{} rows up to {} are from a release without a chain: they are not protected",
            v.unchained, unchained_to_));
    if (v.removed_up_to > 0)
        v.notes.push_back(fmt::format("rows up to {} were removed by retention, the last at {}",
                                      v.removed_up_to, to_rfc3339(v.removed_at)));
    if (v.proven_last < v.proven_first) v.proven_first = v.proven_last = 0;
    std::stable_sort(v.findings.begin(), v.findings.end(),
                     [](const auto& a, const auto& b) { return place(a) < place(b); });
}

Result<AuditVerdict> Verifier::run(bool head_expected) {
    SHM_TRY(connection_.open());
    SHM_ASSIGN(const bool chained, has_history(connection_));
    if (!chained) {
        finding(AuditProblem::unprotected, 0, 0,
                "this database is from a release without a chain: nothing is proven");
        return std::move(verdict_);
    }
    // First: the row that it names is then already in the database.
    take_head(head_expected);
    do {
        SHM_ASSIGN(page_, read_history(connection_, seq_, kPageRows));
        take_checkpoints(page_);
        for (const auto& row : page_.rows) SHM_TRY(take_row(row));
    } while (!page_.last);
    finish();
    return std::move(verdict_);
}

}  // namespace

std::string_view to_string(AuditProblem problem) {
    constexpr std::string_view names[] = {"changed",  "missing",   "inserted", "reordered",
                                          "tail_cut", "rewritten", "forged",   "unprotected"};
    const auto index = static_cast<std::size_t>(problem);
    return index < std::size(names) ? names[index] : "unknown";
}

std::string AuditVerdict::summary() const {
    if (!clean()) {
        const auto& worst = findings.front();
        auto out = worst.what;
        if (worst.time.micros != 0)
            out += fmt::format(" (recorded at {}, {})", to_rfc3339(worst.time), worst.kind);
        if (problems > 1) out += fmt::format("; {} more problems follow", problems - 1);
        return out;
    }
    if (proven_last == 0) return "there are no rows to verify";
    return fmt::format("rows {} to {} are as they were recorded, signed by {}", proven_first,
                       proven_last, to_hex(key));
}

Result<AuditVerdict> verify_history(const std::string& database, const PublicKey& key,
                                    bool head_expected) {
    return Verifier(database, key).run(head_expected);
}

}  // namespace snakepit::shm
