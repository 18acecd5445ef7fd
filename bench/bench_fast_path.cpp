// SPDX-License-Identifier: MIT
// Mapping granted regions: no manager, no system call.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <boost/interprocess/managed_shared_memory.hpp>

#include "base/handle.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::uint64_t kRegionBytes = 1 << 20;

Status fast_path(Report& report, ManagerClient& client) {
    const int times = report.options().scaled(200'000), rounds = report.options().rounds();
    SHM_ASSIGN(const auto id, client.allocate(kRegionBytes));
    const auto ours = [&] {
        return nanos_each(times, [&] {
            if (const auto mapping = client.map(id, AccessMode::read_write))
                static_cast<void>(client.unmap(*mapping));
        });
    };
    const Handle file(::memfd_create("bench", MFD_CLOEXEC));
    if (::ftruncate(file.get(), kRegionBytes) != 0) std::abort();
    const auto before = client.round_trips();
    const auto system = interleaved(
        rounds,
        [&] {
            return nanos_each(times / 20, [&] {
                void* data = ::mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                    file.get(), 0);
                ::munmap(data, kRegionBytes);
            });
        },
        ours);
    report.add({"map + unmap of a granted region", "mmap + munmap, nothing touched", "ns",
                system.floor, system.ours, 0.05});

    namespace ipc = boost::interprocess;
    const auto name = fmt::format("snakepit-bench-boost-{}", ::getpid());
    ipc::managed_shared_memory boost(ipc::create_only, name.c_str(), 1 << 20);
    for (int i = 0; i < 100; ++i) boost.construct<int>(fmt::format("region-{}", i).c_str())(i);
    const auto peer = interleaved(
        rounds,
        [&] {
            return nanos_each(times / 20, [&] { static_cast<void>(boost.find<int>("region-50")); });
        },
        ours);
    ipc::shared_memory_object::remove(name.c_str());
    report.add({"map + unmap of a granted region", "Boost managed_shared_memory::find", "ns",
                peer.floor, peer.ours, 0.5});
    report.add({"round trips of all those, plus one", "one", "count", 1,
                1.0 + static_cast<double>(client.round_trips() - before), 1});
    client.deallocate(id);
    return {};
}

}  // namespace

void measure_fast_path(Report& report) {
    const ServiceProcess service;
    auto client = ServiceProcess::connect();
    const auto done = client ? fast_path(report, **client) : Status(fail(client.error()));
    if (!done) report.skip("map + unmap", done.error());
}

}  // namespace snakepit::shm::bench
