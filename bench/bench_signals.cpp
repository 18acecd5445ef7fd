// SPDX-License-Identifier: MIT
// Notifying a region and waking a waiter in another process.
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <new>

#include "peer_process.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

// What two processes play ball with, and what the player with the region says.
struct Court {
    std::atomic<std::uint32_t> ball{0};
    std::atomic<int> game{0};   // 0: none, 1: with the futex, 2: with the region
    std::atomic<int> ready{0};  // the game that the other process is in
};

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) {
    while (word.load() == seen) ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
}
void futex_wake(std::atomic<std::uint32_t>& word) {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

// The other process: gives each ball back. A ball is odd on the way to it.
void play(Court& court, const RegionId& id) {
    auto client = ServiceProcess::connect();
    if (!client) return;
    for (;;) {
        const int game = court.game.load();
        court.ready.store(game);
        if (game == 0) {
            ::usleep(200);
        } else if (game == 1) {
            for (std::uint32_t ball = 0; court.game.load() == 1;) {
                futex_wait(court.ball, ball);
                ball = court.ball.load() + 1;
                court.ball.store(ball);
                futex_wake(court.ball);
            }
        } else {
            auto ball = (*client)->wait(id, ~0ULL >> 2, 0).value().value();
            while (court.game.load() == 2) {
                const auto now = (*client)->wait(id, ball, 1000).value();
                if (!now) continue;
                (void)(*client)->notify(id);
                ball = *now + 1;
            }
        }
    }
}

Status signals(Report& report, ManagerClient& client) {
    const int times = report.options().scaled(200'000), rounds = report.options().rounds();
    SHM_ASSIGN(const auto id, client.allocate(4096));
    SHM_TRY(client.notify(id));
    // The map without its unmap; both in pieces, which a busy machine rarely interrupts.
    constexpr int kPiece = 1000;
    const int pieces = std::max(1, times / kPiece);
    std::array<MappedRegion, kPiece> mapped;
    const auto map = [&] {
        double spent = 0;
        for (int i = 0; i < pieces; ++i) {
            auto* next = mapped.begin();
            spent += nanos_each(kPiece,
                                [&] { *next++ = client.map(id, AccessMode::read_write).value(); });
            for (const auto& one : mapped) (void)client.unmap(one);
        }
        return spent / pieces;
    };
    const auto ours = [&] {
        double spent = 0;
        for (int i = 0; i < pieces; ++i)
            spent += nanos_each(kPiece, [&] { (void)client.notify(id); });
        return spent / pieces;
    };
    const auto alone = interleaved(rounds, map, ours);
    report.add({"notify while no process waits", "map of the same region", "ns", alone.floor,
                alone.ours, (alone.floor + 15) / alone.floor});

    const SharedMemory memory(4096);
    auto& court = *new (memory.data()) Court;
    const Child other([&] { play(court, id); });
    const auto start = [&](int game) {
        court.game.store(0);
        court.ball.fetch_add(1);
        futex_wake(court.ball);
        (void)client.notify(id);
        while (court.ready.load() != 0) ::sched_yield();
        court.ball.store(0);
        court.game.store(game);
        while (court.ready.load() != game) ::sched_yield();
        ::usleep(20'000);
    };
    const int throws = report.options().scaled(20'000);
    const auto raw = [&] {
        start(1);
        std::uint32_t ball = 0;
        return nanos_each(throws, [&] {
            court.ball.store(++ball);
            futex_wake(court.ball);
            futex_wait(court.ball, ball);
            ball = court.ball.load();
        });
    };
    const auto by_region = [&] {
        start(2);
        auto ball = client.wait(id, ~0ULL >> 2, 0).value().value();
        return nanos_each(throws, [&] {
            (void)client.notify(id);
            ball = client.wait(id, ball + 1, 1000).value().value_or(ball + 1);
        });
    };
    const auto there = interleaved(rounds, raw, by_region);
    report.add({"wake another process and be woken", "the same with a futex", "ns", there.floor,
                there.ours, 1.3});
    court.game.store(0);
    return {};
}

}  // namespace

void measure_signals(Report& report) {
    const ServiceProcess service;
    auto client = ServiceProcess::connect();
    const auto done = client ? signals(report, **client) : Status(fail(client.error()));
    if (!done) report.skip("signals", done.error());
}

}  // namespace snakepit::shm::bench
