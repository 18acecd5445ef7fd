// SPDX-License-Identifier: MIT
#include "crypto/chunk_cipher.h"

#include <openssl/evp.h>

#include <utility>

#include "crypto/digest.h"
#include "platform/locked_memory.h"

namespace snakepit::shm {

namespace {

struct FreeCipherContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeCipher {
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipherContext>;

const unsigned char* bytes_of(const std::byte* data) {
    return reinterpret_cast<const unsigned char*>(data);
}
unsigned char* bytes_of(std::byte* data) {
    return reinterpret_cast<unsigned char*>(data);
}

// Up to the tag. A context that was used before keeps its key.
bool run(EVP_CIPHER_CTX* context, int encrypts, const Nonce& nonce,
         std::span<const std::byte> associated, std::span<const std::byte> in, std::byte* out) {
    int length = 0;
    return EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), encrypts, nullptr) == 1 &&
           EVP_CipherUpdate(context, nullptr, &length, bytes_of(associated.data()),
                            static_cast<int>(associated.size())) == 1 &&
           EVP_CipherUpdate(context, bytes_of(out), &length, bytes_of(in.data()),
                            static_cast<int>(in.size())) == 1;
}

}  // namespace

// The library overwrites a context's key when it is freed.
struct ChunkCipher::Private {
    CipherContext encrypting, decrypting;
};

ChunkCipher::ChunkCipher(std::unique_ptr<Private> d) : d_(std::move(d)) {}
ChunkCipher::ChunkCipher(ChunkCipher&&) noexcept = default;
ChunkCipher& ChunkCipher::operator=(ChunkCipher&&) noexcept = default;
ChunkCipher::~ChunkCipher() = default;

Result<ChunkCipher> ChunkCipher::make(std::span<const std::byte> key) {
    if (key.size() != 32)
        return fail(ErrorCode::invalid_argument, "a region's key must have 32 bytes");
    const std::unique_ptr<EVP_CIPHER, FreeCipher> cipher(
        EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
    auto d = std::make_unique<Private>();
    for (const int encrypts : {1, 0}) {
        auto& context = encrypts ? d->encrypting : d->decrypting;
        context.reset(EVP_CIPHER_CTX_new());
        if (!cipher || !context ||
            EVP_CipherInit_ex2(context.get(), cipher.get(), bytes_of(key.data()), nullptr, encrypts,
                               nullptr) != 1)
            return fail(crypto_error("AES-256-GCM is not available"));
    }
    return ChunkCipher(std::move(d));
}

Status ChunkCipher::encrypt(const Nonce& nonce, std::span<const std::byte> associated,
                            std::span<const std::byte> plain, std::byte* out, Tag& tag) {
    auto* const context = d_->encrypting.get();
    int length = 0;
    unsigned char none[16];
    if (run(context, 1, nonce, associated, plain, out) &&
        EVP_CipherFinal_ex(context, none, &length) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                            tag.data()) == 1)
        return {};
    return fail(crypto_error("cannot encrypt a chunk"));
}

Result<bool> ChunkCipher::decrypt(const Nonce& nonce, std::span<const std::byte> associated,
                                  std::span<const std::byte> ciphertext, std::byte* out,
                                  const Tag& tag) {
    auto* const context = d_->decrypting.get();
    int length = 0;
    unsigned char none[16];
    Tag expected = tag;  // the library's parameter is not const
    const bool ran = run(context, 0, nonce, associated, ciphertext, out) &&
                     EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG,
                                         static_cast<int>(expected.size()), expected.data()) == 1;
    if (ran && EVP_CipherFinal_ex(context, none, &length) == 1) return true;
    wipe({out, ciphertext.size()});
    if (!ran) return fail(crypto_error("cannot decrypt a chunk"));
    return false;
}

}  // namespace snakepit::shm
