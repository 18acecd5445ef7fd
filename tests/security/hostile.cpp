// SPDX-License-Identifier: MIT
#include "hostile.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <vector>

#include "base/paths.h"
#include "raw_client.h"
#include "schema_frames.h"

using namespace snakepit::shm;

namespace {

using Clock = std::chrono::steady_clock;

struct Attack {
    std::string socket;
    std::mt19937_64 random;
    std::vector<RegionId> regions;
    std::chrono::milliseconds time;
    std::uint64_t done = 0;

    bool on(Clock::time_point began) const { return Clock::now() - began < time; }
    RawClient client(bool lease = true) const { return RawClient::open(socket, lease); }
};

wire::AllocateT some_region(std::mt19937_64& random) {
    wire::AllocateT call;
    call.size = 1 + random() % 100'000;
    call.placement = static_cast<std::uint8_t>(random() % 3);
    return call;
}

template <typename T>
wire::RequestT request(T call) {
    wire::RequestT out;
    out.call.Set(std::move(call));
    return out;
}

// What the manager granted us, so that there are words to lie in.
std::optional<wire::GrantedT> allocate(RawClient& client, wire::AllocateT call) {
    const auto reply = client.ask(request(std::move(call)));
    if (!reply || !reply->answer.AsGranted()) return std::nullopt;
    return *reply->answer.AsGranted();
}

// ------------------------------------------------------------------- attacks

void page(Attack& attack) {
    const auto began = Clock::now();
    while (attack.on(began)) {
        auto client = attack.client();
        if (!client.page()) continue;
        const layout::LeasePage lease(client.page());
        std::vector<wire::GrantedT> mine;
        for (int i = 0; i < 8; ++i)
            if (auto granted = allocate(client, some_region(attack.random)))
                mine.push_back(*granted);
        if (mine.empty()) continue;
        for (int i = 0; i < 2000 && attack.on(began); ++i, ++attack.done) {
            const auto& one = mine[attack.random() % mine.size()];
            const auto slot =
                attack.random() % 3 == 0
                    ? static_cast<std::uint32_t>(attack.random() % layout::kChunkSlots)
                    : one.slot;
            const auto n = attack.random() % 4 == 0 ? attack.random() : attack.random() % 4;
            const auto generation = attack.random() % 4 == 0 ? attack.random() : one.generation;
            lease.word(slot).store(
                attack.random() % 8 == 0 ? attack.random() : layout::LeaseWord::make(generation, n),
                std::memory_order_release);
            lease.acquisitions(slot).store(static_cast<std::uint32_t>(attack.random()));
            lease.lock(slot).word.store(attack.random());
            lease.mark(slot);
            if (i % 20 == 0) {
                wire::LockT lock;
                lock.id = std::make_unique<wire::RegionKey>(*one.id);
                lock.mode = static_cast<std::uint8_t>(attack.random() % 2);
                lock.thread = static_cast<std::uint32_t>(attack.random());
                lock.request = static_cast<std::uint32_t>(i + 1);
                (void)client.ask(request(std::move(lock)));
            }
            if (i % 100 == 0)
                for (std::uint64_t at = 0; at < layout::LeaseOffsets::chunks; at += 8)
                    std::memset(client.page() + at, static_cast<int>(attack.random()), 8);
            if (i % 50 == 0) {
                wire::ReleasedT released;
                released.slot = static_cast<std::uint32_t>(attack.random());
                released.generation = attack.random();
                Encoder encoder;
                client.send(encoder.encode(request(std::move(released))));
                wire::DeallocateT deallocate;
                deallocate.id = std::make_unique<wire::RegionKey>(*one.id);
                deallocate.force = attack.random() % 2 == 0;
                (void)client.ask(request(std::move(deallocate)));
            }
        }
    }
}

void frames(Attack& attack) {
    SchemaFrames frames(static_cast<unsigned>(attack.random()), attack.regions);
    const auto began = Clock::now();
    RawClient client;
    for (std::size_t call = 0; attack.on(began); call = (call + 1) % frames.calls().size()) {
        if (!client.valid()) client = attack.client(attack.random() % 2 == 0);
        for (int i = 0; i < 20 && client.valid(); ++i, ++attack.done) {
            client.send(attack.random() % 2 == 0 ? frames.frame(call) : frames.mutated(call));
            client.drain();
        }
    }
}

void flood(Attack& attack) {
    std::vector<RawClient> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(attack.client(false));
    Encoder encoder;
    wire::RequestT list = request(wire::ListT{});
    list.id = 1;
    const auto bytes = encoder.encode(list);
    const auto began = Clock::now();
    while (attack.on(began)) {
        for (auto& client : clients) {
            if (!client.valid()) client = attack.client(false);
            while (client.send(bytes)) ++attack.done;
            client.drain();
        }
    }
}

void connections(Attack& attack) {
    std::vector<RawClient> clients;
    const auto began = Clock::now();
    for (int i = 0; i < 10'000; ++i) {
        auto client = attack.client(i % 2 == 0);
        if (client.valid()) clients.push_back(std::move(client));
        ++attack.done;
    }
    std::cout << "kept " << clients.size() << std::endl;
    while (attack.on(began)) ::usleep(10'000);
}

void descriptors(Attack& attack) {
    SchemaFrames frames(static_cast<unsigned>(attack.random()), attack.regions);
    const auto began = Clock::now();
    while (attack.on(began)) {
        auto client = attack.client(false);
        if (!client.valid()) continue;
        int pipe[2] = {-1, -1}, pair[2] = {-1, -1};
        if (::pipe(pipe) != 0 || ::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) continue;
        const int file = ::memfd_create("attack", MFD_ALLOW_SEALING);
        const int choice[] = {pipe[0], pair[0], file, client.channel().handle().get(), 0};
        for (int i = 0; i < 50; ++i, ++attack.done) {
            const int sent[] = {choice[attack.random() % 5], choice[attack.random() % 5]};
            client.send(frames.frame(attack.random() % frames.calls().size()), sent);
            client.drain();
        }
        for (const int one : {pipe[0], pipe[1], pair[0], pair[1], file}) ::close(one);
    }
}

// Everything that can be done to a file through a descriptor.
void spoil(const Handle& file, std::mt19937_64& random) {
    const auto descriptor = file.get();
    switch (random() % 7) {
        case 0:
            (void)!::ftruncate(descriptor, static_cast<off_t>(random() % 5000));
            break;
        case 1:
            (void)!::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20);
            break;
        case 2:
            (void)!::ftruncate(descriptor, off_t{1} << 40);
            break;
        case 3:
            ::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
            break;
        case 4:
            ::fchmod(descriptor, 0777);
            break;
        case 5: {
            const auto self = "/proc/self/fd/" + std::to_string(descriptor);
            const Handle again(::open(self.c_str(), O_RDWR | O_TRUNC));
            break;
        }
        default:
            (void)!::pwrite(descriptor, "attack", 6, static_cast<off_t>(random() % 100'000));
    }
}

void files(Attack& attack) {
    const auto began = Clock::now();
    while (attack.on(began)) {
        auto client = attack.client();
        if (!client.valid()) continue;
        std::vector<Handle> handed;
        for (int i = 0; i < 4; ++i) {
            auto call = some_region(attack.random);
            // A pool belongs to its user: who shares the user can spoil it.
            call.placement = static_cast<std::uint8_t>(Placement::dedicated);
            if (allocate(client, std::move(call))) handed.push_back(client.take_handle());
        }
        for (const auto& id : attack.regions) {
            wire::MapT map;
            map.id = std::make_unique<wire::RegionKey>(to_wire(id));
            map.access = static_cast<std::uint8_t>(attack.random() % 2);
            const auto reply = client.ask(request(std::move(map)));
            if (reply && reply->answer.AsGranted()) handed.push_back(client.take_handle());
        }
        for (int i = 0; i < 200; ++i, ++attack.done) {
            const auto which = attack.random() % (handed.size() + 1);
            spoil(which < handed.size() ? handed[which] : client.page_file(), attack.random);
            if (i % 20 == 0) (void)allocate(client, some_region(attack.random));
        }
    }
}

void fates(Attack& attack) {
    const auto began = Clock::now();
    for (; attack.on(began); ++attack.done) {
        const auto choice = attack.random() % 5;
        const auto child = ::fork();
        if (child < 0) continue;
        if (child == 0) {
            auto client = attack.client();
            (void)allocate(client, some_region(attack.random));
            Encoder encoder;
            client.send(encoder.encode(request(some_region(attack.random))));
            if (choice == 0) ::execl("/bin/true", "true", nullptr);
            if (choice == 1) ::kill(::getpid(), SIGKILL);
            if (choice == 2) client.channel().close();
            if (choice == 3 && ::fork() == 0) {  // the child speaks on its parent's connection
                for (int i = 0; i < 10; ++i) client.send(encoder.encode(request(wire::ListT{})));
            }
            ::_exit(0);
        }
        if (choice == 4) ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
}

}  // namespace

int run_hostile(const QStringList& words) {
    const std::map<QString, std::function<void(Attack&)>> attacks = {
        {"page", page},   {"frames", frames},
        {"flood", flood}, {"connections", connections},
        {"files", files}, {"descriptors", descriptors},
        {"fates", fates},
    };
    ::signal(SIGBUS, SIG_DFL);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const auto paths = resolve_paths("");
    const auto found = attacks.find(words.value(0));
    if (!paths || found == attacks.end()) return 2;
    Attack attack{paths->control_socket(),
                  std::mt19937_64(words.value(1).toUInt()),
                  {},
                  std::chrono::milliseconds(words.value(2).toUInt())};
    for (const auto& word : words.mid(3))
        attack.regions.push_back(*RegionId::parse(word.toStdString()));
    std::cout << "ready" << std::endl;
    std::string line;
    std::getline(std::cin, line);
    found->second(attack);
    std::cout << "done " << attack.done << std::endl;
    std::getline(std::cin, line);
    return 0;
}
