// SPDX-License-Identifier: MIT
// Locks, compared with a robust mutex between processes, which also outlives its holder but is not
// fair, has no readers, no time limit and no list of who has it.
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <new>
#include <thread>

#include "layout/delegated_lock.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr int kProcesses = 3;
constexpr std::chrono::microseconds kPause(100);

struct Mutex {
    Mutex() {
        pthread_mutexattr_t kind;
        ::pthread_mutexattr_init(&kind);
        ::pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
        ::pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
        if (::pthread_mutex_init(&mutex, &kind) != 0) std::abort();
        ::pthread_mutexattr_destroy(&kind);
    }
    void cycle() {
        if (::pthread_mutex_lock(&mutex) != 0) std::abort();
        ::pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_t mutex;
};

void cycle(ManagerClient& client, const RegionId& id) {
    const auto granted = client.lock(id, AccessMode::read_write, kLockForever);
    if (!granted || !client.unlock(id, granted->token)) std::abort();
}

// Which work the processes do: 0 none, 1 the mutex, 2 our lock, 3 the end.
struct Shared {
    Mutex mutex;
    std::atomic<int> ready{0}, work{0}, working{0};
    alignas(64) std::atomic<std::uint64_t> cycles{0};
};

void compete(Shared& shared, const RegionId& id) {
    const auto client = ServiceProcess::connect();
    if (!client) std::abort();
    shared.ready.fetch_add(1);
    for (;;) {
        const int work = shared.work.load();
        if (work == 0) {
            std::this_thread::sleep_for(kPause);
            continue;
        }
        if (work == 3) return;
        shared.working.fetch_add(1);
        std::uint64_t cycles = 0;
        for (; shared.work.load(std::memory_order_relaxed) == work; ++cycles)
            work == 1 ? shared.mutex.cycle() : cycle(**client, id);
        shared.cycles.fetch_add(cycles);
        shared.working.fetch_sub(1);
    }
}

// Nanoseconds for one lock and unlock of any of the processes, over `millis` milliseconds.
double nanos_of(Shared& shared, int work, int millis) {
    shared.cycles = 0;
    const auto start = monotonic_nanos();
    shared.work = work;
    std::this_thread::sleep_for(std::chrono::milliseconds(millis));  // the processors are theirs
    shared.work = 0;
    while (shared.working.load() != 0) std::this_thread::sleep_for(kPause);
    const auto nanos = static_cast<double>(monotonic_nanos() - start);
    return nanos / static_cast<double>(std::max<std::uint64_t>(1, shared.cycles.load()));
}

Status alone(Report& report, ManagerClient& client, Mutex& mutex) {
    SHM_ASSIGN(const auto id, client.allocate(4096));
    const int times = report.options().scaled(200'000);
    cycle(client, id);
    const auto before = client.round_trips();
    const auto pair = interleaved(
        report.options().rounds(), [&] { return nanos_each(times, [&] { mutex.cycle(); }); },
        [&] { return nanos_each(times, [&] { cycle(client, id); }); });
    report.add({"lock + unlock, no other process wants it", "robust mutex between processes", "ns",
                pair.floor, pair.ours, 3});
    // A delegation is renewed when its sequence has come round.
    const double cycles = static_cast<double>(times) * report.options().rounds();
    report.add({"round trips of all those, plus one", "one, and one in two million", "count",
                1 + std::ceil(cycles / layout::LockWord::kSequences),
                1.0 + static_cast<double>(client.round_trips() - before), 1});
    return {};
}

Status crowded(Report& report, ManagerClient& client) {
    SHM_ASSIGN(const auto id, client.allocate(4096));
    const SharedMemory memory(sizeof(Shared));
    auto& shared = *new (memory.data()) Shared;
    const auto work = [&] { compete(shared, id); };
    const Child first(work), second(work), third(work);
    while (shared.ready.load() != kProcesses) std::this_thread::sleep_for(kPause);
    const int millis = report.options().scaled(300);
    const auto pair = interleaved(
        report.options().rounds(), [&] { return nanos_of(shared, 1, millis); },
        [&] { return nanos_of(shared, 2, millis); });
    shared.work = 3;
    report.add({"lock + unlock, three processes want it", "robust mutex between processes", "ns",
                pair.floor, pair.ours, 2});
    return {};
}

}  // namespace

void measure_locks(Report& report) {
    const ServiceProcess service;
    const auto client = ServiceProcess::connect();
    if (!client) return report.skip("locks", client.error());
    const SharedMemory memory(sizeof(Mutex));
    auto& mutex = *new (memory.data()) Mutex;
    if (const auto done = alone(report, **client, mutex); !done)
        report.skip("a lock of one process", done.error());
    if (const auto done = crowded(report, **client); !done)
        report.skip("a lock of three processes", done.error());
}

}  // namespace snakepit::shm::bench
