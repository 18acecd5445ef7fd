// SPDX-License-Identifier: MIT
// The chain over the rows of events.db, and its signatures. Frozen with kEventSchemaVersion.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/signature.h"

namespace snakepit::shm {

// The chain after row `seq`: SHA-256 over the value before it and the row's values. Before the
// first row: 0, all zeros.
struct ChainPoint {
    std::int64_t seq = 0;
    Digest chain{};
    friend bool operator==(const ChainPoint&, const ChainPoint&) = default;
};

// Digests one row at a time: begin(), its values in the order of kChainedColumns, finish(). Each
// value goes in with its type and its length, so that no two rows give the same bytes. Keeps its
// memory. One thread.
class RowDigest {
  public:
    void begin(const Digest& previous);
    void add(std::int64_t value);
    void add(std::string_view text) { add('t', text); }
    void add_null() { bytes_ += 'n'; }
    // Only an edited row may have these two.
    void add_blob(std::string_view bytes) { add('b', bytes); }
    void add_real(double value);
    Digest finish();

    // The same in two steps, to try a row at several places: the values after `seq`, and the digest
    // of a row that has them.
    void begin_values() { bytes_.clear(); }
    const std::string& values() const { return bytes_; }
    Digest of(const Digest& previous, std::int64_t seq, std::string_view values);

  private:
    void add(char type, std::string_view bytes);
    void add_number(std::uint64_t value);

    Sha256 sha_;
    std::string bytes_;
};

inline constexpr std::string_view kChainedColumns =
    "seq, epoch, ring_seq, time, kind, region_id, pid, uid, result, detail";

// The reason for which a point of the chain was signed. At an anchor the chain may begin, or
// continue after missing rows.
namespace checkpoint_reason {
inline constexpr std::string_view batch = "batch";
inline constexpr std::string_view stop = "stop";
inline constexpr std::string_view head = "head";            // the copy in audit.head
inline constexpr std::string_view migration = "migration";  // anchor: no row up to it has a chain
inline constexpr std::string_view retention = "retention";  // anchor: rows up to it were old
inline constexpr std::string_view missing = "missing";      // anchor: rows up to it were not found
}  // namespace checkpoint_reason

// A point of the chain, signed by the instance's audit key (InstanceKey::audit_key).
struct Checkpoint {
    ChainPoint at;
    Timestamp time;
    std::string reason;
    Signature signature{};

    bool anchor() const;
    Status sign(const SigningKey& key);
    bool genuine(const PublicKey& key) const;

  private:
    std::string signed_bytes() const;
};

// The newest checkpoint, kept beside the database, so that a truncated end is detected. Empty: the
// file does not exist. corruption_detected: it is not an audit head.
Result<std::optional<Checkpoint>> read_head(const std::string& path);
Status write_head(const std::string& path, const Checkpoint& head);

}  // namespace snakepit::shm
