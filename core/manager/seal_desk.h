// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "crypto/encrypted_chunks.h"
#include "crypto/keys.h"
#include "memory/allocator.h"
#include "registry/encryption_table.h"

namespace snakepit::shm {

class Service;
struct Caller;

// A version of an encrypted region's contents for one who was granted the region.
struct SealAnswer {
    EncryptionState state;
    // Empty unless they were asked for. To be wiped by whoever has told them.
    std::vector<std::uint8_t> key, next_key;
};

struct SealCommitCall {
    RegionId id;
    std::uint64_t expected = 0;  // the version it follows
    std::uint32_t key_version = 0;
    Digest root{};
    PublicKey public_key{};
    Signature signature{};
};

// The service's part in encrypted regions: who gets a key, which version counts, and looking for
// damage. It never touches contents to change them. Service thread only.
class SealDesk {
  public:
    explicit SealDesk(Service& service) : service_(service) {}
    // Without these encrypted regions are refused.
    void open(EncryptionTable table, std::shared_ptr<const InstanceKey> key);
    bool ready() const { return table_.has_value(); }

    // Before a region of such a level becomes LIVE.
    Status begin(std::uint32_t slot);

    // For whoever was granted the region. `key_version`: of the key the caller has; `next`: also
    // the one of a rotation, for who may manage the region.
    Result<SealAnswer> read(const Caller& caller, const RegionId& id, std::uint32_t key_version,
                            bool next);
    // Compare and swap, for who was granted it for writing and holds its lock alone. The same call
    // again changes nothing.
    Status commit(const Caller& caller, const SealCommitCall& call);
    // The region is about to be sealed, and the caller may have written what is not committed yet.
    bool may_finish(const Caller& caller, const RegionId& id) const;
    // Somebody who was granted the region found it damaged. Whoever says so is not believed: all of
    // it is checked elsewhere, and `done` is called when that is over. Of one region once at a
    // time, and not at once again when nothing was found.
    void report(const Caller& caller, const RegionId& id, std::function<void(Status)> done);

    // What is wrong with the record or the table that counts. Nothing: it is not encrypted, or all
    // is well.
    std::optional<std::string> fault_of(std::uint32_t slot) const;

  private:
    struct Check {  // of a region's whole contents
        EncryptionState state;
        Handle segment;
        LockedMemory key;
        std::optional<std::string> fault;
        int attempt = 0;
    };
    struct Looking {
        std::vector<std::function<void(Status)>> waiting;  // empty: it is over
        std::int64_t sound_at = 0;                         // boot time; when nothing was found
        std::uint64_t sound_version = 0;
    };
    Result<std::uint32_t> granted(const Caller& caller, const RegionId& id,
                                  AccessMode access) const;
    Result<EncryptionState> state_of(std::uint32_t slot) const;
    Result<std::vector<std::uint8_t>> key_of(const RegionId& id, std::uint32_t version) const;
    Status commit_to(std::uint32_t slot, const Caller& caller, const SealCommitCall& call);
    Status may_commit(std::uint32_t slot, const Caller& caller, const SealCommitCall& call,
                      const EncryptionState& now) const;
    void look(std::uint32_t slot, int attempt);
    void looked(std::uint32_t slot, const std::shared_ptr<Check>& check);
    void end_look(const RegionId& id, const Status& outcome);

    Service& service_;
    std::optional<EncryptionTable> table_;
    std::shared_ptr<const InstanceKey> key_;
    std::unordered_map<RegionId, Looking> looking_;
};

}  // namespace snakepit::shm
