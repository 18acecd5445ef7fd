// SPDX-License-Identifier: MIT
#include "crypto/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <new>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// The algorithm is built in, so this fails only without memory.
void must(int done) {
    if (done != 1) throw std::bad_alloc();
}

}  // namespace

struct Sha256::Private {
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : d_(std::make_unique<Private>()) {
    if (!d_->context) throw std::bad_alloc();
    must(EVP_DigestInit_ex2(d_->context.get(), EVP_sha256(), nullptr));
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) {
    must(EVP_DigestUpdate(d_->context.get(), bytes.data(), bytes.size()));
}

Digest Sha256::finish() {
    Digest out;
    must(EVP_DigestFinal_ex(d_->context.get(), reinterpret_cast<unsigned char*>(out.data()),
                            nullptr));
    must(EVP_DigestInit_ex2(d_->context.get(), nullptr, nullptr));  // the same algorithm again
    return out;
}

Digest sha256(std::span<const std::byte> bytes) {
    Sha256 digest;
    digest.add(bytes);
    return digest.finish();
}

Error crypto_error(std::string_view what) {
    char reason[256] = "unknown reason";
    if (const auto code = ERR_get_error(); code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return make_error(ErrorCode::platform_error, fmt::format("{}: {}", what, reason),
                      "check the OpenSSL installation");
}

}  // namespace snakepit::shm
