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

// The encrypted regions of a client: private decrypted views, and reading and writing parts without
// a view. The caller holds a reference to the region; `segment` says where its segment is mapped.
// Thread-safe.
//
// Writers acquire the region's lock. Readers do not; they see one complete committed version:
// chunks overwritten meanwhile are read again in the newer version.
class EncryptedViews {
  public:
    EncryptedViews(AskManager ask, LockClient& locks) : ask_(std::move(ask)), locks_(locks) {}

    // Creates a view, locked in memory if the limit allows. A writable view needs twice the memory,
    // because changes are found by comparison.
    Result<MappedRegion> open(const RegionId& id, const MappedRegion& segment);
    Status flush(const MappedRegion& view);
    Status refresh(const MappedRegion& view);
    // Flushes the view and closes it even if flushing fails (`written`). not_held: there is no
    // view.
    Status close(const MappedRegion& view, Status& written);

    Status read(const RegionId& id, const MappedRegion& segment, std::uint64_t offset,
                std::span<std::byte> out);
    Status write(const RegionId& id, const MappedRegion& segment, std::uint64_t offset,
                 std::span<const std::byte> bytes);
    Result<std::uint32_t> rotate(const RegionId& id, const MappedRegion& segment);

    void abandon();

  private:
    struct View;
    // Empty: success; otherwise the first chunk that could not be read.
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
    std::mutex mutex_;  // guards the table of views; each view has its own mutex
    std::unordered_map<const std::byte*, std::shared_ptr<View>> views_;
};

}  // namespace snakepit::shm
