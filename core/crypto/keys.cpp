// SPDX-License-Identifier: MIT
#include "crypto/keys.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <memory>

#include <fmt/format.h>

#include "crypto/digest.h"
#include "platform/secret_file.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kSalt = "snakepit-shm";

struct FreeKdf {
    void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
};
struct FreeKdfContext {
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
    // The parameter type is not const; what it points to is only read.
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                             bytes.size());
}

}  // namespace

Status fill_random(std::span<std::byte> bytes) {
    if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                        static_cast<int>(bytes.size())) != 1)
        return fail(crypto_error("cannot get random bytes"));
    return {};
}

Result<InstanceKey> InstanceKey::load_or_create(const std::string& path) {
    SHM_ASSIGN(auto secret, LockedMemory::make(kKeyBytes));
    SHM_ASSIGN(const bool there, read_secret_file(path, secret.bytes()));
    if (!there) {
        SHM_TRY(fill_random(secret.bytes()));
        // Another manager of this state directory may have created the key meanwhile: use that one.
        SHM_ASSIGN(const bool made, create_secret_file(path, secret.bytes()));
        if (!made) return load(path);
    }
    return InstanceKey(std::move(secret));
}

Result<InstanceKey> InstanceKey::load(const std::string& path) {
    SHM_ASSIGN(auto secret, LockedMemory::make(kKeyBytes));
    SHM_ASSIGN(const bool there, read_secret_file(path, secret.bytes()));
    if (!there)
        return fail(ErrorCode::security_violation, fmt::format("no key file at {}", path),
                    "give the service its key file or credential");
    return InstanceKey(std::move(secret));
}

Status InstanceKey::derive(std::string_view purpose, std::span<std::byte> out) const {
    const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const std::unique_ptr<EVP_KDF_CTX, FreeKdfContext> context(kdf ? EVP_KDF_CTX_new(kdf.get())
                                                                   : nullptr);
    char algorithm[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, algorithm, 0),
        octets(OSSL_KDF_PARAM_KEY, secret_.bytes()),
        octets(OSSL_KDF_PARAM_SALT, std::as_bytes(std::span(kSalt))),
        octets(OSSL_KDF_PARAM_INFO, std::as_bytes(std::span(purpose))),
        OSSL_PARAM_construct_end(),
    };
    if (!context || EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                   out.size(), parameters) != 1)
        return fail(crypto_error("cannot derive a key"));
    return {};
}

Result<SigningKey> InstanceKey::audit_key() const {
    SHM_ASSIGN(const auto seed, LockedMemory::make(kKeyBytes));
    SHM_TRY(derive("audit signing key", seed.bytes()));
    return SigningKey::from_seed(seed.bytes());
}

}  // namespace snakepit::shm
