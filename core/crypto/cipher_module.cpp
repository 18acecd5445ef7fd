// SPDX-License-Identifier: MIT
// The module that clients load. Built with everything hidden but its entry.
#include <mutex>
#include <optional>

#include "crypto/cipher_engine.h"

namespace snakepit::shm {

namespace {

class OneKey final : public KeyedCipher {
  public:
    explicit OneKey(ChunkCipher cipher) : cipher_(std::move(cipher)) {}
    Status encrypt(const RegionId& id, std::uint64_t chunk, std::span<const std::byte> plain,
                   std::byte* cell, layout::ChunkEntry& entry) override {
        return encrypt_chunk(cipher_, id, chunk, plain, cell, entry);
    }
    Result<bool> decrypt(const RegionId& id, std::uint64_t chunk, const layout::ChunkEntry& entry,
                         std::span<const std::byte> cell, std::byte* plain) override {
        return decrypt_chunk(cipher_, id, chunk, entry, cell, plain);
    }

  private:
    ChunkCipher cipher_;
};

class Engine final : public CipherEngine {
  public:
    Result<std::unique_ptr<KeyedCipher>> cipher(std::span<const std::byte> key) const override {
        SHM_ASSIGN(auto made, ChunkCipher::make(key));
        return std::make_unique<OneKey>(std::move(made));
    }
    Status random(std::span<std::byte> out) const override { return fill_random(out); }
    Digest root_of(const EncryptionState& state,
                   std::span<const layout::ChunkEntry> table) const override {
        return shm::root_of(state, table);
    }
    Result<std::pair<PublicKey, Signature>> sign(const Digest& root) override {
        const std::lock_guard held(mutex_);
        if (!key_) {
            SHM_ASSIGN(key_, SigningKey::generate());
        }
        SHM_ASSIGN(const auto signature, sign_root(*key_, root));
        return std::pair(key_->public_key(), signature);
    }
    bool root_signed(const EncryptionState& state) const override {
        return shm::root_signed(state);
    }

  private:
    std::mutex mutex_;
    std::optional<SigningKey> key_;
};

}  // namespace

}  // namespace snakepit::shm

extern "C" __attribute__((visibility("default"))) snakepit::shm::CipherEngine*
snakepit_shm_cipher_engine(std::uint64_t abi) {
    if (abi != snakepit::shm::kCipherAbi) return nullptr;
    // Never destroyed: threads may use it until the process is gone.
    static auto* const engine = new snakepit::shm::Engine;
    return engine;
}
