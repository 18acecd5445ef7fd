// SPDX-License-Identifier: MIT
#include "signaller.h"

#include <poll.h>

#include <atomic>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>
#include <unordered_map>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

std::string obey(ManagerClient& client, const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string region;
    words >> verb >> region;
    const auto id = RegionId::parse(region);
    if (!id) return std::string(to_string(id.error().code));
    if (verb == "wait") {
        std::uint64_t since = 0;
        std::uint32_t timeout_ms = 0;
        words >> since >> timeout_ms;
        const auto now = client.wait(*id, since, timeout_ms);
        if (!now) return std::string(to_string(now.error().code));
        return *now ? "now " + std::to_string(**now) : "timeout";
    }
    for (;;) {
        const auto told = client.notify(*id);
        if (!told) return std::string(to_string(told.error().code));
        if (verb != "storm") return "ok";
    }
}

// One step of the work that is the same with threads and with events.
class Work {
  public:
    Work(ManagerClient& of, const QStringList& words) : client(of) {
        seed = words.at(0).toUInt();
        owners = words.at(1).toInt();
        times = words.at(2).toInt();
        for (const auto& word : words.mid(3)) ids.push_back(*RegionId::parse(word.toStdString()));
    }
    struct Owner {
        std::uint32_t number = 0;
        std::minstd_rand random;
        int left = 0;
    };
    Owner owner(int index) const {
        return {(1U << 22) + seed * 1000 + static_cast<unsigned>(index),
                std::minstd_rand(seed * 1000 + static_cast<unsigned>(index) + 1), times};
    }
    Result<std::uint64_t> begin(Owner& owner) {
        return client.lock_begin(ids[owner.random() % ids.size()], AccessMode::read_write,
                                 owner.number);
    }
    // Alone: nobody else changes the two words.
    void use(const RegionId& id, const LockGrant& granted) {
        if (const auto mapped = client.map(id, AccessMode::read_write)) {
            auto* words = reinterpret_cast<volatile std::uint64_t*>(mapped->data);
            if (words[0] != words[1]) complain("a writer was not alone");
            words[0] = words[0] + 1;
            words[1] = words[0];
            (void)client.unmap(*mapped);
        } else {
            complain(mapped.error().sentence());
        }
        ++locks;
        if (const auto given = client.unlock(id, granted.token); !given)
            complain(given.error().sentence());
    }
    void complain(const std::string& what) {
        const std::lock_guard held(mutex);
        if (trouble.empty()) trouble = what;
    }

    ManagerClient& client;
    unsigned seed = 0;
    int owners = 0, times = 0;
    std::vector<RegionId> ids;
    std::atomic<int> locks{0};
    std::mutex mutex;
    std::string trouble;
};

void with_threads(Work& work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < work.owners; ++i)
        threads.emplace_back([&, i] {
            for (auto owner = work.owner(i); owner.left > 0; --owner.left) {
                const auto id = work.ids[std::minstd_rand(owner.random)() % work.ids.size()];
                const auto ticket = work.begin(owner);
                if (!ticket) return work.complain(ticket.error().sentence());
                Result<std::optional<LockGrant>> granted = std::optional<LockGrant>();
                while (granted && !*granted) granted = work.client.lock_wait(*ticket, 1000);
                if (!granted) return work.complain(granted.error().sentence());
                work.use(id, **granted);
            }
        });
    for (auto& thread : threads) thread.join();
}

void with_events(Work& work) {
    const auto descriptor = work.client.event_fd();
    if (!descriptor) return work.complain(descriptor.error().sentence());
    std::unordered_map<std::uint64_t, Work::Owner> waiting;
    const auto go_on = [&](Work::Owner owner) {
        if (owner.left-- == 0) return;
        const auto ticket = work.begin(owner);
        if (!ticket) return work.complain(ticket.error().sentence());
        waiting.emplace(*ticket, owner);
    };
    for (int i = 0; i < work.owners; ++i) go_on(work.owner(i));
    while (!waiting.empty() && work.trouble.empty()) {
        pollfd entry{*descriptor, POLLIN, 0};
        if (::poll(&entry, 1, 30'000) != 1) return work.complain("no event came");
        const auto event = work.client.next_event();
        if (!event) return work.complain(event.error().sentence());
        if (!*event) continue;
        const auto owner = waiting.extract((*event)->ticket);
        if (!owner) return work.complain("an event of an unknown ticket");
        if (!(*event)->granted)
            return work.complain("not granted: " + std::string(to_string((*event)->code)));
        work.use((*event)->id, *(*event)->granted);
        go_on(owner.mapped());
    }
}

}  // namespace

int run_signaller(const QStringList& words) {
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    if (!client) return 2;
    std::cout << "ready" << std::endl;
    if (words.at(0) != "signaller") {
        Work work(**client, words.mid(1));
        words.at(0) == "threads" ? with_threads(work) : with_events(work);
        std::cout << (work.trouble.empty() ? "done " + std::to_string(work.locks) : work.trouble)
                  << std::endl;
        return 0;
    }
    for (std::string line; std::getline(std::cin, line);)
        std::cout << obey(**client, line) << std::endl;
    return 0;
}
