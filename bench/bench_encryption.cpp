// SPDX-License-Identifier: MIT
// What encryption costs over the cipher itself: 64 MiB written to a region of level `high` and read
// from it, with everything that belongs to it (the lock, chunks, nonces, tags, the table and its
// digest, the commit), against one call of OpenSSL's cipher for the same buffer and memory of the
// same kind.
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "base/handle.h"
#include "platform/mapped_file.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::size_t kBytes = std::size_t{64} << 20;

// The floor: GB/s of one call between a program's buffer and shared memory, both touched before.
class OneShot {
  public:
    OneShot() : context_(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free) {
        const Handle file(::memfd_create("bench", MFD_CLOEXEC));
        auto mapping = ::ftruncate(file.get(), kBytes) == 0
                           ? Mapping::map(file, kBytes, Mapping::Access::read_write)
                           : fail(ErrorCode::no_space, "no memory to encrypt to");
        if (!mapping) std::abort();
        encrypted_ = std::move(*mapping);
    }

    double encrypt(const std::vector<std::byte>& plain) {
        return figure([&] { run(1, plain.data(), encrypted_.data()); });
    }
    double decrypt(std::vector<std::byte>& plain) {
        return figure([&] { run(0, encrypted_.data(), plain.data()); });
    }
    template <typename Work>
    static double figure(Work work) {
        return static_cast<double>(kBytes) / nanos_each(1, work);
    }

  private:
    void run(int encrypts, const std::byte* in, std::byte* out) {
        static const unsigned char key[32] = {1}, nonce[12] = {2};
        int length = 0;
        if (EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, key, nonce, encrypts) !=
                1 ||
            EVP_CipherUpdate(context_.get(), reinterpret_cast<unsigned char*>(out), &length,
                             reinterpret_cast<const unsigned char*>(in), kBytes) != 1)
            std::abort();
    }
    Mapping encrypted_;
    std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context_;
};

Status measure(Report& report, ManagerClient& client) {
    RegionOptions options;
    options.security_level = SecurityLevel::high;
    SHM_ASSIGN(const auto id, client.allocate(kBytes, options));
    std::vector<std::byte> plain(kBytes, std::byte{42});
    for (int warm = 0; warm < 2; ++warm) SHM_TRY(client.write(id, 0, plain));  // both cells
    OneShot cipher;
    (void)cipher.encrypt(plain);
    Status outcome;
    const auto keep = [&](const Status& status) {
        if (!status) outcome = status;
    };
    const int rounds = report.options().rounds();
    const auto written = interleaved(
        rounds, [&] { return cipher.encrypt(plain); },
        [&] { return OneShot::figure([&] { keep(client.write(id, 0, plain)); }); });
    const auto read = interleaved(
        rounds, [&] { return cipher.decrypt(plain); },
        [&] { return OneShot::figure([&] { keep(client.read(id, 0, plain)); }); });
    SHM_TRY(outcome);
    report.add({"64 MiB written to an encrypted region", "EVP AES-256-GCM, one call", "GB/s",
                written.floor, written.ours, 0.85, true});
    report.add({"64 MiB read from it", "EVP AES-256-GCM, one call", "GB/s", read.floor, read.ours,
                0.85, true});
    return {};
}

}  // namespace

void measure_encryption(Report& report) {
    const ServiceProcess service;
    const auto done = [&]() -> Status {
        SHM_ASSIGN(auto client, ServiceProcess::connect());
        return measure(report, *client);
    }();
    if (!done) report.skip("encryption", done.error());
}

}  // namespace snakepit::shm::bench
