// SPDX-License-Identifier: MIT
// Many regions and many clients: look-up, list, restart after a kill, and monitors.
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

constexpr int kFew = 1'000;    // the baseline for a look-up among many
constexpr int kLookUps = 300;  // a round

// Regions held by programs of their own.
class Crowd {
  public:
    Status add(int clients, int each) {
        const auto before = holders_.size();
        for (int i = 0; i < clients; ++i) holders_.push_back(std::make_unique<Holder>(each));
        for (auto i = before; i < holders_.size(); ++i)
            if (!holders_[i]->ready())
                return fail(ErrorCode::allocation_failed,
                            "a program could not allocate its regions");
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

// Waits until the events of the new clients are in the database, so that they do not disturb the
// next measurement.
Status settle(ManagerClient& client) {
    for (const auto start = monotonic_nanos(); monotonic_nanos() - start < 60'000'000'000;) {
        SHM_ASSIGN(const auto status, client.report("status"));
        if (status.find("\"lag\":0") != std::string::npos) return {};
        ::usleep(100'000);
    }
    return fail(ErrorCode::timeout, "the recorder did not catch up");
}

// A manager's regions as seen by a client.
class Asker {
  public:
    static Result<Asker> ready(ManagerClient& client) {
        SHM_TRY(settle(client));
        SHM_ASSIGN(auto ids, ids_of_all(client));
        return Asker(client, std::move(ids));
    }
    // Nanoseconds to ask about one of them, any.
    double look_up() {
        return nanos_each(kLookUps,
                          [&] { static_cast<void>(client_->info(ids_[random_() % ids_.size()])); });
    }
    // Nanoseconds to list them, for each; a short list many times.
    double list() {
        const auto times = std::max<int>(1, 20 * kFew / static_cast<int>(ids_.size()));
        return nanos_each(times, [&] { static_cast<void>(client_->list()); }) /
               static_cast<double>(ids_.size());
    }

  private:
    Asker(ManagerClient& client, std::vector<RegionId> ids)
        : client_(&client), ids_(std::move(ids)) {}
    ManagerClient* client_;
    std::vector<RegionId> ids_;
    std::mt19937 random_{1};
};

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
    report.add({"regions found again", "regions before", "count",
                static_cast<double>(crowd.regions()), static_cast<double>(regions.size()), 1,
                true});
    return {};
}

Status ask(Report& report, ManagerClient& few, ManagerClient& client, const Crowd& many) {
    SHM_ASSIGN(auto among_few, Asker::ready(few));
    SHM_ASSIGN(auto among_many, Asker::ready(client));
    const auto look_ups = interleaved(
        report.options().rounds(), [&] { return among_few.look_up(); },
        [&] { return among_many.look_up(); });
    report.add({fmt::format("look-up among {} regions", many.regions()),
                fmt::format("among {}", kFew), "ns", look_ups.floor, look_ups.ours, 2});
    const auto lists = interleaved(
        3, [&] { return among_few.list(); }, [&] { return among_many.list(); });
    report.add({fmt::format("list of {} regions, for each", many.regions()),
                fmt::format("of {}", kFew), "ns", lists.floor, lists.ours, 2});
    return {};
}

// `clients` programs with `each` regions, beside another manager that has only kFew.
Status measure(Report& report, int clients, int each, double restart_ms) {
    const ServiceProcess other;
    SHM_ASSIGN(const auto other_client, ServiceProcess::connect());
    Crowd few;
    SHM_TRY(few.add(1, kFew));
    ServiceProcess service;  // from here on the instance in the environment
    SHM_ASSIGN(auto client, ServiceProcess::connect());
    Crowd many;
    SHM_TRY(many.add(clients, each));
    {
        // On one processor: waking another would cost more than what is compared.
        const Pinned here(processors().front());
        other.pin(processors().front());
        service.pin(processors().front());
        SHM_TRY(ask(report, *other_client, *client, many));
    }
    client.reset();
    return restart(report, service, many, restart_ms);
}

// ---------------------------------------------------------------- watching

struct Watchers {
    std::atomic<bool> on{false};
    std::atomic<std::uint64_t> polls{0};
};

// A monitor that polls ten times a second while it is on.
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
    // The time may grow in proportion to the number of regions.
    const auto done = report.options().quick ? measure(report, 10, 2'000, 5'000)
                                             : measure(report, 100, 10'000, 5'000);
    if (!done) report.skip("a million regions", done.error());
}

}  // namespace snakepit::shm::bench
