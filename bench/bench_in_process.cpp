// SPDX-License-Identifier: MIT
// The cost of an allocation in the process that hosts the manager: on the service thread, without a
// socket.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/handle.h"
#include "harness.h"
#include "layout/registry_reader.h"
#include "manager/manager.h"
#include "platform/mapped_file.h"
#include "regions/region_service.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::uint64_t kBytes = 1 << 20;
constexpr std::uint64_t kPage = 4096;

// Writes a byte to each page.
void touch(std::byte* data) {
    for (std::uint64_t at = 0; at < kBytes; at += kPage)
        *static_cast<volatile std::byte*>(data + at) = std::byte{1};
}

void raw_segment(bool touched) {
    const char* name = "/snakepit-bench-raw";
    const Handle file(::shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (::ftruncate(file.get(), kBytes) != 0) std::abort();
    void* data = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (touched) touch(static_cast<std::byte*>(data));
    ::munmap(data, kBytes);
    ::shm_unlink(name);
}

// Allocates for `caller`, optionally touches the memory, and deallocates. A client is handed each
// arena once, and keeps it in `arenas`.
using Arenas = std::map<std::uint64_t, Mapping>;
void region(RegionService& service, const Caller& caller, std::uint64_t request, bool touched,
            Arenas& arenas) {
    RegionId id;
    service.allocate(caller, request, kBytes, {}, [&](const Result<Grant>& grant) {
        if (!grant) std::abort();
        id = grant->id;
        if (!touched) return;
        if (grant->handle)
            arenas[grant->arena] = std::move(
                *Mapping::map(grant->handle, grant->segment_size, Mapping::Access::read_write));
        touch(arenas.at(grant->arena).data() + grant->offset);
    });
    if (!service.deallocate(caller, id, false).value_or(false)) std::abort();
}

void wait_for_recorder(const std::string& registry) {
    const auto reader = RegistryReader::open(registry);
    if (!reader) std::abort();
    while (reader->events_recorded() < reader->event_head()) ::usleep(1000);
}

void measure(Report& report, Manager& manager, const Caller& caller, bool touched) {
    const int times = report.options().scaled(touched ? 500 : 20'000),
              rounds = report.options().rounds();
    std::uint64_t request = 1;
    Arenas arenas;
    const auto figures = interleaved(
        rounds, [&] { return nanos_each(std::max(10, times / 20), [&] { raw_segment(touched); }); },
        [&] {
            double each = 0;
            wait_for_recorder(manager.paths().registry());
            manager.run([&](RegionService& service) {
                each =
                    nanos_each(times, [&] { region(service, caller, ++request, touched, arenas); });
            });
            return each;
        });
    report.add({touched ? "allocate + deallocate 1 MiB in the process, touched"
                        : "allocate + deallocate 1 MiB in the process, untouched",
                touched ? "shm_open ... shm_unlink, touched" : "shm_open ... shm_unlink, untouched",
                "ns", figures.floor, figures.ours, touched ? 1.0 / 15 : 0.1});
}

}  // namespace

void measure_in_process(Report& report) {
    TemporaryDirectory directory("/dev/shm"), disk;
    std::filesystem::create_directory(directory.path("segments"));
    ManagerOptions options;
    options.paths = {"bench", directory.path("run"), disk.path("state"), {}};
    options.config.shm_path = directory.path("segments");
    options.config.max_regions_per_process = options.config.max_regions = 1'000'000;
    auto manager = Manager::start(options);
    if (!manager) return report.skip("allocations in the process", manager.error());
    const Caller user{{::getpid(), ::geteuid(), ::getegid()}, {}, 0, "bench"};
    measure(report, **manager, user, false);
    // With a lease page, like every program: the region is granted, so it counts as written to.
    Caller client = user;
    (*manager)->run([&](RegionService& service) {
        if (const auto index = service.connect_client({user.credentials, 1, "bench"})) {
            client.client = *index;
            client.serial = service.client(*index).serial.load();
        }
    });
    measure(report, **manager, client, true);
}

}  // namespace snakepit::shm::bench
