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

// The chunks of one encrypted region as one version of its contents has them: what the manager
// says of that version, the table it stands for, and the key. One thread at a time; used while a
// reference keeps the segment mapped.
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

    // Asks which version counts now, and checks its table and signature. corruption_detected when
    // what is in the segment is not that version.
    Status sync();
    // The chunk in the clear. False: it is not what the table says; either a later version has
    // taken its place, which sync() tells, or it is damaged.
    Result<bool> load(std::uint64_t chunk, std::byte* plain);
    // Tells the manager, which looks for itself, and makes the error.
    Error damaged(const std::string& what);
    // Until the next chunk is wanted: what the cipher keeps of the key is in memory like any other.
    void rest();

    // ---- a new version: begin, store each chunk that changes, commit. With the region locked.
    // `rotate`: under the next key; then every chunk there is has to be stored.
    Status begin(bool rotate);
    Status store(std::uint64_t chunk, std::span<const std::byte> plain);
    Status commit();

    // In a forked child: forgets the memory it never got.
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
    std::vector<std::byte> nonces_;  // random bytes not used yet
};

}  // namespace snakepit::shm
