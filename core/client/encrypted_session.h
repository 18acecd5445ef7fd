// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "crypto/cipher_engine.h"
#include "layout/encrypted_layout.h"
#include "platform/locked_memory.h"
#include "protocol/messages.h"

namespace snakepit::shm {

// Sends one request to the manager and waits for its answer.
using AskManager = std::function<Result<wire::ReplyT>(wire::RequestT)>;

// Access to the chunks of one encrypted region at one version of its contents: the manager's
// description of that version, its chunk table and the key. One thread at a time; a reference must
// keep the segment mapped.
class EncryptedSession {
  public:
    // `segment`: where the region's segment is mapped.
    EncryptedSession(CipherEngine& engine, AskManager ask, const RegionId& id, std::uint64_t size,
                     SecurityLevel level, std::byte* segment);

    const RegionId& id() const { return state_.id; }
    const layout::EncryptedLayout& layout() const { return layout_; }
    std::uint64_t version() const { return state_.version; }
    std::uint32_t key_version() const { return state_.key_version; }
    const layout::ChunkEntry& entry(std::uint64_t chunk) const { return table_[chunk]; }

    // Asks the manager for the current version and checks its table and signature.
    // corruption_detected if the segment does not contain that version.
    Status sync();
    // Decrypts a chunk. False: it does not match the table: either a later version replaced it,
    // which sync() detects, or it is damaged.
    Result<bool> load(std::uint64_t chunk, std::byte* plain);
    // Reports damage to the manager, which checks it, and creates the error.
    Error damaged(const std::string& what);
    // Discards the key schedule until the next chunk is used, because it lies in ordinary memory.
    void rest();

    // ---- a new version: begin, store each chunk that changes, commit. With the region locked.
    // `rotate`: under the next key; then every chunk there is has to be stored.
    Status begin(bool rotate);
    Status store(std::uint64_t chunk, std::span<const std::byte> plain);
    Status commit();

    // In a forked child: drops mappings that were not inherited.
    void abandon();

  private:
    Result<wire::EncryptedVersionT> ask_version(bool next_key);
    static Status take_key(std::vector<std::uint8_t>& bytes, LockedMemory& place);
    Status check_signature(const EncryptionState& state) const;
    bool read_table(const EncryptionState& state);
    Status draw_nonce(layout::ChunkEntry& entry);

    CipherEngine& engine_;
    AskManager ask_;
    layout::EncryptedLayout layout_;
    SecurityLevel level_;
    std::byte* segment_;

    EncryptionState state_;
    ChunkTable table_;
    std::uint32_t key_version_ = 0;  // of key_; 0: none
    LockedMemory key_, next_key_;
    std::unique_ptr<KeyedCipher> cipher_, next_cipher_;  // next_: while rotating
    EncryptionState next_;
    ChunkTable next_table_;
    std::vector<std::byte> nonces_;  // unused random bytes
};

}  // namespace snakepit::shm
