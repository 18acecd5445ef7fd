// SPDX-License-Identifier: MIT
// Many regions and many clients: look-up, list, a manager that was killed, and people who watch.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <new>
#include <random>

#include <fmt/format.h>

#include "layout/registry_reader.h"
#include "peer_process.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr int kFew = 1'000;  // what a look-up among many is compared with
constexpr int kLookUps = 2'000;

// Regions held by programs of their own.
class Crowd {
  public:
    Status add(int clients, int each) {
        const auto before = holders_.size();
        for (int i = 0; i < clients; ++i) holders_.push_back(std::make_unique<Holder>(each));
        for (auto i = before; i < holders_.size(); ++i)
            if (!holders_[i]->ready())
                return fail(ErrorCode::allocation_failed, "a program could not make its regions");
        regions_ += std::size_t(clients) * std::size_t(each);
        return {};
    }
    std::size_t clients() const { return holders_.size(); }
    std::size_t regions() const { return regions_; }

  private:
    std::vector<std::unique_ptr<Holder>> holders_;
    std::size_t regions_ = 0;
};

Result<std::vector<RegionId>> ids_of_all(ManagerClient& client) {
    SHM_ASSIGN(const auto regions, client.list());
    std::vector<RegionId> ids;
    for (const auto& region : regions) ids.push_back(region.id);
    return ids;
}

// Nanoseconds to ask the manager about one region, any of those there are.
Result<double> look_up(ManagerClient& client) {
    SHM_ASSIGN(const auto ids, ids_of_all(client));
    std::mt19937 random(1);
    std::vector<double> rounds;
    for (int i = 0; i < 5; ++i)
        rounds.push_back(nanos_each(
            kLookUps / 5, [&] { static_cast<void>(client.info(ids[random() % ids.size()])); }));
    return median(std::move(rounds));
}

Result<double> list_each(ManagerClient& client) {
    std::vector<double> rounds;
    for (int i = 0; i < 3; ++i) {
        const auto start = monotonic_nanos();
        SHM_ASSIGN(const auto regions, client.list());
        rounds.push_back(static_cast<double>(monotonic_nanos() - start) /
                         static_cast<double>(regions.size()));
    }
    return median(std::move(rounds));
}

Status restart(Report& report, ServiceProcess& service, const Crowd& crowd, double budget_ms) {
    service.stop(SIGKILL);
    const auto start = monotonic_nanos();
    service.start();
    SHM_ASSIGN(const auto client, ServiceProcess::connect());
    const auto millis = static_cast<double>(monotonic_nanos() - start) / 1e6;
    SHM_ASSIGN(const auto regions, client->list());
    report.add({fmt::format("restart after kill -9: {} regions, {} clients", crowd.regions(),
                            crowd.clients()),
                "budget", "ms", budget_ms, millis, 1});
    report.add({"regions found again", "regions there were", "count",
                static_cast<double>(crowd.regions()), static_cast<double>(regions.size()), 1,
                true});
    return {};
}

// One program with kFew regions, then `clients` more with `each`.
Status measure(Report& report, int clients, int each, double restart_ms) {
    ServiceProcess service;
    SHM_ASSIGN(auto client, ServiceProcess::connect());
    Crowd crowd;
    SHM_TRY(crowd.add(1, kFew));
    SHM_ASSIGN(const auto few, look_up(*client));
    SHM_ASSIGN(const auto few_each, list_each(*client));
    SHM_TRY(crowd.add(clients - 1, each));
    SHM_ASSIGN(const auto many, look_up(*client));
    SHM_ASSIGN(const auto many_each, list_each(*client));
    report.add({fmt::format("look-up among {} regions", crowd.regions()),
                fmt::format("among {}", kFew), "ns", few, many, 2});
    report.add({fmt::format("list of {} regions, for each", crowd.regions()),
                fmt::format("of {}", kFew), "ns", few_each, many_each, 2});
    client.reset();
    return restart(report, service, crowd, restart_ms);
}

// ---------------------------------------------------------------- watching

struct Watchers {
    std::atomic<bool> on{false};
    std::atomic<std::uint64_t> polls{0};
};

// A monitor, ten times a second while it is switched on.
[[noreturn]] void watch(Watchers& shared) {
    const auto paths = resolve_paths({});
    auto reader = paths ? RegistryReader::open(paths->registry()) : fail(paths.error());
    while (reader) {
        if (shared.on.load()) {
            static_cast<void>(reader->poll());
            shared.polls.fetch_add(1);
        }
        ::usleep(100'000);
    }
    ::_exit(1);
}

double p99_of_allocate(ManagerClient& client, int times) {
    std::vector<double> each;
    for (int i = 0; i < times; ++i) {
        const auto start = monotonic_nanos();
        const auto id = client.allocate(4096);
        each.push_back(static_cast<double>(monotonic_nanos() - start));
        if (id) static_cast<void>(client.deallocate(*id));
    }
    const auto at = each.begin() + static_cast<std::ptrdiff_t>(each.size() * 99 / 100);
    std::nth_element(each.begin(), at, each.end());
    return *at;
}

Status watched(Report& report) {
    const ServiceProcess service;
    SHM_ASSIGN(const auto client, ServiceProcess::connect());
    const int clients = report.options().quick ? 5 : 100, each = 1'000, readers = 10;
    Crowd crowd;
    SHM_TRY(crowd.add(clients, each));
    const SharedMemory memory(4096);
    auto& shared = *new (memory.data()) Watchers;
    std::deque<Child> children;
    for (int i = 0; i < readers; ++i) children.emplace_back([&] { watch(shared); });
    const int times = report.options().quick ? 2'000 : 10'000;
    const auto with = [&](bool on) {
        shared.on.store(on);
        return p99_of_allocate(*client, times);
    };
    const auto pair = interleaved(
        report.options().rounds(), [&] { return with(false); }, [&] { return with(true); });
    if (shared.polls.load() == 0)
        return fail(ErrorCode::platform_error, "no reader could read the registry");
    report.add(
        {fmt::format("allocate's p99 with {} readers on {} regions", readers, clients * each),
         "p99 without readers", "ns", pair.floor, pair.ours, 1.05});
    return {};
}

}  // namespace

void measure_crowd(Report& report) {
    const auto done = measure(report, report.options().quick ? 5 : 100, 1'000, 500);
    if (!done) report.skip("a crowd of regions", done.error());
}

void measure_readers(Report& report) {
    if (const auto done = watched(report); !done) report.skip("readers", done.error());
}

void measure_million(Report& report) {
    // Ten times the regions may take ten times as long.
    const auto done = report.options().quick ? measure(report, 11, 2'000, 5'000)
                                             : measure(report, 101, 10'000, 5'000);
    if (!done) report.skip("a million regions", done.error());
}

}  // namespace snakepit::shm::bench
