// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "platform/locked_memory.h"
#include "regions/region_policies.h"

namespace snakepit::shm {

// A version of an encrypted region's contents for one who was granted the region.
struct EncryptedAnswer {
    EncryptionState state;
    // Empty unless they were asked for. To be wiped once they were sent.
    std::vector<std::uint8_t> key, next_key;
};

struct EncryptedCommitCall {
    RegionId id;
    std::uint64_t expected = 0;  // the version it follows
    std::uint32_t key_version = 0;
    Digest root{};
    PublicKey public_key{};
    Signature signature{};
};

// Encrypted regions: who gets a key, commits of new contents, and checks for damage. It never
// changes contents. Service thread only.
class EncryptedRegions : RegionPart {
  public:
    EncryptedRegions(ServiceState& state, EncryptionRecords& encryption, IntegrityCheck& integrity,
                     RegionPolicies& policies, Refusals& refusals)
        : RegionPart(state),
          encryption_(encryption),
          integrity_(integrity),
          policies_(policies),
          refusals_(refusals) {}

    // For a client that was granted the region. `key_version`: of the key the caller has; `next`:
    // also the one of a rotation, for a client that may manage the region.
    Result<EncryptedAnswer> read(const Caller& caller, const RegionId& id,
                                 std::uint32_t key_version, bool next);
    // Compare and swap, for a client that was granted it for writing and holds its lock alone. The
    // same call again changes nothing.
    Status commit(const Caller& caller, const EncryptedCommitCall& call);
    // The region is about to be sealed, and the caller may have written what is not committed yet.
    bool may_finish(const Caller& caller, const RegionId& id) const;
    // A client that was granted the region found it damaged. The report is not trusted: all of the
    // region is checked in the background, and `done` is called when that is over. Each region is
    // checked once at a time, and not again at once when nothing was found.
    void report(const Caller& caller, const RegionId& id, std::function<void(Status)> done);

  private:
    struct Check {  // of a region's whole contents
        EncryptionState state;
        Handle segment;
        LockedMemory key;
        std::optional<std::string> fault;
        int attempt = 0;
    };
    struct Checks {                                        // of one region
        std::vector<std::function<void(Status)>> waiting;  // empty: it is over
        std::int64_t sound_at = 0;                         // boot time; when nothing was found
        std::uint64_t sound_version = 0;
    };
    Result<std::uint32_t> granted(const Caller& caller, const RegionId& id,
                                  AccessMode access) const;
    Result<std::vector<std::uint8_t>> key_of(const RegionId& id, std::uint32_t version) const;
    Status commit_to(std::uint32_t slot, const Caller& caller, const EncryptedCommitCall& call);
    Status may_commit(std::uint32_t slot, const Caller& caller, const EncryptedCommitCall& call,
                      const EncryptionState& now) const;
    void start_check(std::uint32_t slot, int attempt);
    void finish_check(std::uint32_t slot, const std::shared_ptr<Check>& check);
    void end_check(const RegionId& id, const Status& outcome);

    EncryptionRecords& encryption_;
    IntegrityCheck& integrity_;
    RegionPolicies& policies_;
    Refusals& refusals_;
    std::unordered_map<RegionId, Checks> checks_;
};

}  // namespace snakepit::shm
