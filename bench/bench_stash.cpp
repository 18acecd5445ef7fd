// SPDX-License-Identifier: MIT
// Allocating and freeing from another process than the manager's, without a request.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <boost/interprocess/managed_shared_memory.hpp>

#include "base/handle.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::uint64_t kSmall = 4096, kLarge = 1 << 20;
constexpr int kBurst = 10'000;

void pair(ManagerClient& client, std::uint64_t size) {
    const auto id = client.allocate(size);
    if (!id || !client.deallocate(*id)) std::abort();
}

// The region is mapped and written to, so that the next one there is overwritten with zeros.
void touched_pair(ManagerClient& client, std::uint64_t size) {
    const auto id = client.allocate(size);
    const auto mapped =
        id ? client.map(*id, AccessMode::read_write) : Result<MappedRegion>(fail(id.error()));
    if (!mapped) std::abort();
    mapped->data[0] = std::byte{1};
    if (!client.unmap(*mapped) || !client.deallocate(*id)) std::abort();
}

double posix_pair(const std::string& name, std::uint64_t size, int times) {
    return nanos_each(times, [&] {
        const Handle file(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
        if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0) std::abort();
        void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
        ::munmap(data, size);
        ::shm_unlink(name.c_str());
    });
}

void bursts(Report& report, ManagerClient& client, std::uint64_t size, const char* what) {
    const int rounds = report.options().rounds(), burst = report.options().scaled(kBurst);
    for (int i = 0; i < 100; ++i) pair(client, size);
    const auto ours = [&] { return nanos_each(burst, [&] { pair(client, size); }); };
    const auto row = fmt::format("allocate + deallocate {}, bursts, untouched", what);
    const auto name = fmt::format("/snakepit-bench-{}", ::getpid());
    const auto posix = interleaved(
        rounds, [&] { return posix_pair(name, size, burst / 10); }, ours);
    report.add({row, "budget", "ns", 500, posix.ours, 1});
    report.add(
        {row, "shm_open, ftruncate, mmap, munmap, shm_unlink", "ns", posix.floor, posix.ours, 0.1});
    namespace ipc = boost::interprocess;
    ipc::managed_shared_memory boost(ipc::create_only, name.c_str() + 1, 4 * kLarge);
    const auto peer = interleaved(
        rounds, [&] { return nanos_each(burst, [&] { boost.deallocate(boost.allocate(size)); }); },
        ours);
    ipc::shared_memory_object::remove(name.c_str() + 1);
    report.add({row, "Boost managed_shared_memory, anonymous, nothing zeroed", "ns", peer.floor,
                peer.ours, 10});
}

Status touched(Report& report, ManagerClient& client) {
    Handle file(::memfd_create("bench", MFD_CLOEXEC));
    if (::ftruncate(file.get(), kLarge) != 0) std::abort();
    void* const data =
        ::mmap(nullptr, kLarge, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), 0);
    const int times = report.options().scaled(2'000);
    for (int i = 0; i < 100; ++i) touched_pair(client, kLarge);
    const auto done = interleaved(
        report.options().rounds(),
        [&] {
            return nanos_each(times, [&] {
                std::memset(data, 0, kLarge);
                asm volatile("" ::: "memory");
            });
        },
        [&] { return nanos_each(times, [&] { touched_pair(client, kLarge); }); });
    ::munmap(data, kLarge);
    report.add({"allocate + map + unmap + deallocate 1 MiB, written to", "memset of 1 MiB", "ns",
                done.floor, done.ours, 1.2});
    return {};
}

Status sustained(Report& report, ManagerClient& client) {
    std::vector<std::int64_t> times;
    times.reserve(20'000'000);
    const std::int64_t began = monotonic_nanos(),
                       end = began + (report.options().quick ? 1 : 5) * 1'000'000'000L;
    for (std::int64_t at = began; at < end && times.size() < times.capacity();) {
        pair(client, kSmall);
        const auto after = monotonic_nanos();
        times.push_back(after - at);
        at = after;
    }
    const auto seconds = static_cast<double>(monotonic_nanos() - began) / 1e9;
    const auto count = times.size();
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(count * 99 / 100),
                     times.end());
    report.add({"allocate + deallocate 4 KiB, for seconds", "budget", "pairs/s", 100'000,
                static_cast<double>(count) / seconds, 1, true});
    report.add(
        {"p99 of those", "budget", "ns", 100'000, static_cast<double>(times[count * 99 / 100]), 1});
    return {};
}

}  // namespace

void measure_stash(Report& report) {
    const ServiceProcess service;
    auto client = ServiceProcess::connect();
    if (!client) return report.skip("allocate without a request", client.error());
    bursts(report, **client, kSmall, "4 KiB");
    bursts(report, **client, kLarge, "1 MiB");
    auto done = touched(report, **client);
    if (done) done = sustained(report, **client);
    if (!done) report.skip("allocate without a request", done.error());
}

}  // namespace snakepit::shm::bench
