// SPDX-License-Identifier: MIT
// Verifies that the history in events.db is the one that was recorded. Any process; needs no
// manager, and may read a database that one is writing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/signature.h"

namespace snakepit::shm {

enum class AuditProblem : std::uint8_t {
    changed,
    missing,
    inserted,
    reordered,
    tail_cut,
    rewritten,   // rows were changed, and the chain after them computed again
    forged,      // a checkpoint or audit.head that the key did not sign
    unprotected  // there is no chain, or no signature
};
std::string_view to_string(AuditProblem problem);

struct AuditFinding {
    AuditProblem problem{};
    std::int64_t first = 0, last = 0;  // the rows concerned
    Timestamp time;                    // of row `first`, if it is there
    std::string kind;                  // of row `first`, if it is there
    std::string what;                  // a sentence
};

struct AuditVerdict {
    PublicKey key{};
    std::int64_t rows = 0;                           // that are there
    std::int64_t first = 0, last = 0;                // their numbers
    std::int64_t unchained = 0;                      // rows from before the chain: not protected
    std::int64_t proven_first = 0, proven_last = 0;  // as they were recorded; 0: none
    std::int64_t checkpoints = 0;                    // genuine, with the chain as they say
    std::int64_t removed_up_to = 0;                  // by retention; 0: none
    Timestamp removed_at;                            // the last time
    std::uint64_t problems = 0;
    std::vector<AuditFinding> findings;  // the first hundred, in the order of the rows
    std::vector<std::string> notes;

    bool clean() const { return problems == 0; }
    // One sentence: what is proven, or the first problem.
    std::string summary() const;
};

// `head_expected`: a missing audit.head beside the database is a problem; otherwise it is a note.
// database_unavailable if there is no database.
Result<AuditVerdict> verify_history(const std::string& database, const PublicKey& key,
                                    bool head_expected);

}  // namespace snakepit::shm
