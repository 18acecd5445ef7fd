// SPDX-License-Identifier: MIT
// Rows that need a manager. It runs in a process of its own, as it does in earnest.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <boost/interprocess/managed_shared_memory.hpp>

#include "base/handle.h"
#include "base/ids.h"
#include "client/manager_client.h"
#include "harness.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::uint64_t kRegionBytes = 1 << 20;
constexpr int kBatch = 50;

// `snakepit-shm serve` in directories of its own; what it left in the temporary directory goes with
// it.
class Service {
  public:
    Service() {
        ::setenv("SNAKEPIT_SHM_RUNTIME_DIR", directory_.path("run").c_str(), 1);
        ::setenv("SNAKEPIT_SHM_STATE_DIR", directory_.path("state").c_str(), 1);
        ::setenv("SNAKEPIT_SHM_CONFIG", directory_.path("config.toml").c_str(), 1);
        ::setenv("SNAKEPIT_SHM_INSTANCE", fmt::format("bench-{}", ::getpid()).c_str(), 1);
        std::ofstream(directory_.path("config.toml"))
            << "[shared_memory]\nmax_regions = 200000\nmax_regions_per_process = 200000\n"
               "max_total_memory = \"64GiB\"\n[shared_memory.platform_options.linux]\nshm_path = \""
            << segments_.path() << "\"\n";
        start();
    }
    ~Service() { stop(SIGKILL); }
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    void start() {
        const auto program =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "snakepit-shm";
        child_ = ::fork();
        if (child_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const Handle nowhere(::open("/dev/null", O_WRONLY));
        ::dup2(nowhere.get(), STDOUT_FILENO);
        ::execl(program.c_str(), program.c_str(), "serve", nullptr);
        ::_exit(127);
    }
    void stop(int signal) {
        ::kill(child_, signal);
        ::waitpid(child_, nullptr, 0);
    }
    // As soon as it answers; no_manager once it is clear that it will not.
    static Result<std::unique_ptr<ManagerClient>> connect() {
        const auto start = monotonic_nanos();
        while (true) {
            auto client = ManagerClient::connect();
            if (client || monotonic_nanos() - start > 60'000'000'000) return client;
            ::usleep(500);
        }
    }

  private:
    TemporaryDirectory directory_;
    TemporaryDirectory segments_{"/dev/shm"};
    pid_t child_ = -1;
};

// The least a service could do: for each frame it answers with a frame and a descriptor.
class DescriptorServer {
  public:
    DescriptorServer() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
        ours_.reset(ends[0]);
        Handle theirs(ends[1]);
        if (::fork() == 0) {
            ours_.reset();
            serve(theirs);
        }
    }

    void round_trip() const {
        char text[64] = {};
        if (::send(ours_.get(), text, sizeof text, 0) != sizeof text) std::abort();
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        iovec part{text, sizeof text};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        if (::recvmsg(ours_.get(), &message, MSG_CMSG_CLOEXEC) <= 0) std::abort();
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
        ::close(descriptor);
    }

  private:
    [[noreturn]] static void serve(const Handle& socket) {
        const Handle object(::memfd_create("bench", MFD_CLOEXEC));
        char text[64];
        while (::recv(socket.get(), text, sizeof text, 0) > 0) {
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
            iovec part{text, sizeof text};
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            auto* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            const int descriptor = object.get();
            std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
            ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
        }
        ::_exit(0);
    }

    Handle ours_;
};

void raw_segment() {
    const char* name = "/snakepit-bench-raw";
    const Handle file(::shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (::ftruncate(file.get(), kRegionBytes) != 0) std::abort();
    void* data = ::mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    ::munmap(data, kRegionBytes);
    ::shm_unlink(name);
}

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

struct SlowFigures {
    std::vector<double> round_trip, first_map, allocate, allocate_and_deallocate, raw;
};

// One batch of regions that `owner` makes and `user` maps for the first time.
Status slow_round(SlowFigures& figures, const DescriptorServer& server, ManagerClient& owner,
                  ManagerClient& user) {
    figures.round_trip.push_back(nanos_each(kBatch, [&] { server.round_trip(); }));
    figures.raw.push_back(nanos_each(kBatch, raw_segment));
    std::vector<RegionId> ids;
    std::vector<MappedRegion> mappings;
    std::optional<Error> failed;
    const auto keep = [&](auto& list, auto result) {
        if (result)
            list.push_back(*result);
        else
            failed = std::move(result).error();
    };
    const auto allocated = nanos_each(kBatch, [&] { keep(ids, owner.allocate(kRegionBytes)); });
    if (failed) return fail(std::move(*failed));
    auto id = ids.begin();
    figures.first_map.push_back(
        nanos_each(kBatch, [&] { keep(mappings, user.map(*id++, AccessMode::read_write)); }));
    for (const auto& mapping : mappings) SHM_TRY(user.unmap(mapping));
    id = ids.begin();
    const auto deallocated =
        nanos_each(kBatch, [&] { static_cast<void>(owner.deallocate(*id++)); });
    if (failed) return fail(std::move(*failed));
    figures.allocate.push_back(allocated);
    figures.allocate_and_deallocate.push_back(allocated + deallocated);
    return {};
}

Status slow_path(Report& report, ManagerClient& owner) {
    const DescriptorServer server;
    SHM_ASSIGN(const auto user, ManagerClient::connect());
    SlowFigures figures;
    for (int i = 0; i < report.options().rounds(); ++i)
        SHM_TRY(slow_round(figures, server, owner, *user));
    const auto trip = median(figures.round_trip);
    report.add({"first map of a region", "raw round trip with a descriptor", "ns", trip,
                median(figures.first_map), 1.5});
    report.add({"allocate 1 MiB from another process", "raw round trip with a descriptor", "ns",
                trip, median(figures.allocate), 1.5});
    report.add({"allocate + deallocate 1 MiB from another process",
                "shm_open ... shm_unlink, untouched", "ns", median(figures.raw),
                median(figures.allocate_and_deallocate), 0.1});
    return {};
}

// A program that makes regions and then only holds them.
class Holder {
  public:
    explicit Holder(int regions) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
        done_.reset(ends[0]);
        const Handle tell(ends[1]);
        child_ = ::fork();
        if (child_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const auto client = Service::connect();
        char made = client ? 1 : 0;
        for (int i = 0; i < regions && made != 0; ++i) made = (*client)->allocate(4096) ? 1 : 0;
        if (::write(tell.get(), &made, 1) == 1) ::pause();
        ::_exit(0);
    }
    ~Holder() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    // Waits until all regions are made.
    bool ready() const {
        char made = 0;
        return ::read(done_.get(), &made, 1) == 1 && made == 1;
    }

  private:
    Handle done_;
    pid_t child_ = -1;
};

Status restart(Report& report, Service& service) {
    const int clients = report.options().quick ? 5 : 100, each = 1'000;
    const auto count = static_cast<std::size_t>(clients) * each;
    std::vector<std::unique_ptr<Holder>> holders;
    for (int i = 0; i < clients; ++i) holders.push_back(std::make_unique<Holder>(each));
    for (const auto& holder : holders)
        if (!holder->ready())
            return fail(ErrorCode::allocation_failed, "a program could not make its regions");
    service.stop(SIGKILL);
    const auto start = monotonic_nanos();
    service.start();
    SHM_ASSIGN(const auto client, Service::connect());
    const auto millis = static_cast<double>(monotonic_nanos() - start) / 1e6;
    SHM_ASSIGN(const auto regions, client->list());
    report.add({fmt::format("restart after kill -9: {} regions, {} clients", count, clients),
                "budget", "ms", 500, millis, 1});
    report.add({"regions found again", "regions there were", "count", static_cast<double>(count),
                static_cast<double>(regions.size()), 1, true});
    return {};
}

}  // namespace

void measure_manager(Report& report) {
    Service service;
    auto owner = Service::connect();
    if (!owner) return report.skip("everything that needs a manager", owner.error());
    if (const auto done = fast_path(report, **owner); !done)
        report.skip("map + unmap", done.error());
    if (const auto done = slow_path(report, **owner); !done)
        report.skip("first map, allocate", done.error());
    if (const auto done = restart(report, service); !done) report.skip("restart", done.error());
}

}  // namespace snakepit::shm::bench
