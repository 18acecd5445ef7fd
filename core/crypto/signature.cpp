// SPDX-License-Identifier: MIT
#include "crypto/signature.h"

#include <openssl/evp.h>

#include "crypto/digest.h"

namespace snakepit::shm {

namespace {

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeDigest {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

const unsigned char* raw(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

struct SigningKey::Private {
    Key key;
    PublicKey public_key{};
};

SigningKey::SigningKey(std::unique_ptr<Private> d) : d_(std::move(d)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::generate() {
    auto d = std::make_unique<Private>();
    d->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    std::size_t size = d->public_key.size();
    if (!d->key ||
        EVP_PKEY_get_raw_public_key(
            d->key.get(), reinterpret_cast<unsigned char*>(d->public_key.data()), &size) != 1)
        return fail(crypto_error("cannot create a signing key"));
    return SigningKey(std::move(d));
}

Result<SigningKey> SigningKey::from_seed(std::span<const std::byte> seed) {
    auto d = std::make_unique<Private>();
    d->key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed), seed.size()));
    std::size_t size = d->public_key.size();
    if (!d->key ||
        EVP_PKEY_get_raw_public_key(
            d->key.get(), reinterpret_cast<unsigned char*>(d->public_key.data()), &size) != 1)
        return fail(crypto_error("the signing key cannot be used"));
    return SigningKey(std::move(d));
}

const PublicKey& SigningKey::public_key() const {
    return d_->public_key;
}

Result<Signature> SigningKey::sign(std::span<const std::byte> bytes) const {
    const DigestContext context(EVP_MD_CTX_new());
    Signature out;
    std::size_t size = out.size();
    if (!context ||
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, d_->key.get()) != 1 ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                       raw(bytes), bytes.size()) != 1)
        return fail(crypto_error("signing failed"));
    return out;
}

bool verify(const PublicKey& key, std::span<const std::byte> bytes, const Signature& signature) {
    const Key public_key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(key), key.size()));
    const DigestContext context(EVP_MD_CTX_new());
    return public_key && context &&
           EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, public_key.get()) == 1 &&
           EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(bytes),
                            bytes.size()) == 1;
}

std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const auto byte : bytes) {
        out += digits[std::to_integer<unsigned>(byte) >> 4];
        out += digits[std::to_integer<unsigned>(byte) & 15];
    }
    return out;
}

bool from_hex(std::string_view text, std::span<std::byte> out) {
    if (text.size() != out.size() * 2) return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<std::byte>(high * 16 + low);
    }
    return true;
}

}  // namespace snakepit::shm
