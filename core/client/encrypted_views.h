// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "client/encrypted_session.h"
#include "client/lock_client.h"
#include "client/manager_client.h"

namespace snakepit::shm {

// The encrypted regions of a client: private views in the clear, and parts read and written without
// one. Whoever calls holds a reference to the region, whose segment `segment` says where it is
// mapped. Thread-safe.
//
// Writers take the region's lock; readers do not, and see one committed version whole: what they
// find overwritten meanwhile they read again in the version that took its place.
class EncryptedViews {
  public:
    EncryptedViews(AskManager ask, LockClient& locks) : ask_(std::move(ask)), locks_(locks) {}

    // A view of its own, locked in memory where the limit allows; twice that for one that is
    // written to, because what changed is found by comparing.
    Result<MappedRegion> open(const RegionId& id, const MappedRegion& segment);
    Status flush(const MappedRegion& view);
    Status refresh(const MappedRegion& view);
    // Flushes the view, and ends it even when that fails (`written`). not_held: there is none.
    Status close(const MappedRegion& view, Status& written);

    Status read(const RegionId& id, const MappedRegion& segment, std::uint64_t offset,
                std::span<std::byte> out);
    Status write(const RegionId& id, const MappedRegion& segment, std::uint64_t offset,
                 std::span<const std::byte> bytes);
    Result<std::uint32_t> rotate(const RegionId& id, const MappedRegion& segment);

    void abandon();

  private:
    struct View;
    // Nothing: all went well. Else the first chunk that could not be read.
    using Reading = std::function<Result<std::optional<std::uint64_t>>(EncryptedSession&)>;

    Result<std::unique_ptr<EncryptedSession>> session(const RegionId& id,
                                                      const MappedRegion& segment);
    Result<std::shared_ptr<View>> find(const MappedRegion& view);
    Status read_version(EncryptedSession& session, const Reading& reading);
    Status write_version(EncryptedSession& session, bool rotate,
                         const std::function<Status(EncryptedSession&)>& writing);
    Status flush(View& view);
    Status load(View& view);

    AskManager ask_;
    LockClient& locks_;
    std::mutex mutex_;  // of the table of views; each has a mutex of its own
    std::unordered_map<const std::byte*, std::shared_ptr<View>> views_;
};

}  // namespace snakepit::shm
