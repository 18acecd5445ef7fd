// SPDX-License-Identifier: MIT
#include "encrypted_programs.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <thread>

#include "client/manager_client.h"

namespace snakepit::shm::test {

namespace {

template <typename Word>
void fill(std::span<std::byte> bytes, Word value) {
    for (std::size_t at = 0; at + sizeof value <= bytes.size(); at += sizeof value)
        std::memcpy(bytes.data() + at, &value, sizeof value);
}

int fail_with(const Error& error) {
    std::cout << error.sentence() << std::endl;
    return 1;
}

int write_rounds(ManagerClient& client, const RegionId& id) {
    const auto mapped = client.map(id, AccessMode::read_write);
    if (!mapped) return fail_with(mapped.error());
    std::uint64_t round = 0;
    std::memcpy(&round, mapped->data, sizeof round);
    std::cout << "ready" << std::endl;
    for (;;) {
        fill(std::span(mapped->data, mapped->size), ++round);
        if (const auto flushed = client.flush(*mapped); !flushed) return fail_with(flushed.error());
        std::cout << round << std::endl;
    }
}

int work_on_half(ManagerClient& client, const RegionId& id, unsigned half) {
    const auto mapped = client.map(id, AccessMode::read_write);
    if (!mapped) return fail_with(mapped.error());
    std::atomic<bool> enough{false};
    std::thread waiting([&] {
        std::string line;
        std::getline(std::cin, line);
        enough = true;
    });
    const auto size = mapped->size / 2;
    const std::span mine(mapped->data + half * size, size);
    std::vector<std::byte> read(size);
    std::string trouble;
    std::uint64_t round = 0;
    std::cout << "ready" << std::endl;
    while (!enough && trouble.empty()) {
        fill(mine, ++round);
        if (const auto flushed = client.flush(*mapped); !flushed)
            trouble = flushed.error().sentence();
        else if (const auto got = client.read(id, half * size, read); !got)
            trouble = got.error().sentence();
        else if (std::memcmp(read.data(), mine.data(), size) != 0)
            trouble = "what was flushed is not what is read";
    }
    std::cout << (trouble.empty() ? "done " + std::to_string(round) : trouble) << std::endl;
    waiting.join();
    return 0;
}

int hold(ManagerClient& client, const RegionId& id, const QStringList& words) {
    const auto mapped = client.map(id, AccessMode::read_write);
    if (!mapped) return fail_with(mapped.error());
    const auto seed = words.at(0).toUInt();
    auto* const to = reinterpret_cast<volatile unsigned char*>(mapped->data);
    for (unsigned i = 0; i < kMarkerBytes; ++i) to[i] = marker_byte(seed, i);
    if (const auto flushed = client.flush(*mapped); !flushed) return fail_with(flushed.error());
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        if (line != "abort") continue;
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_CORE, &unlimited) != 0 ||
            ::chdir(words.at(1).toLocal8Bit().constData()) != 0)
            return 3;
        std::abort();
    }
    return 0;
}

}  // namespace

QByteArray marker(unsigned seed) {
    QByteArray out(kMarkerBytes, '\0');
    for (unsigned i = 0; i < kMarkerBytes; ++i)
        out[static_cast<int>(i)] = static_cast<char>(marker_byte(seed, i));
    return out;
}

int run_encrypted_program(const QStringList& words) {
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    if (!client) return fail_with(client.error());
    if (words.at(0) == "idler") {
        std::cout << "ready" << std::endl;
        std::string line;
        std::getline(std::cin, line);
        return 0;
    }
    const auto id = *RegionId::parse(words.at(1).toStdString());
    if (words.at(0) == "writer") return write_rounds(**client, id);
    if (words.at(0) == "worker") return work_on_half(**client, id, words.at(2).toUInt());
    return hold(**client, id, words.mid(2));
}

}  // namespace snakepit::shm::test
