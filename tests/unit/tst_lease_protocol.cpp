// SPDX-License-Identifier: MIT
// The lease protocol between threads that share one mapping, so that ThreadSanitizer sees both
// sides: the manager grants, withdraws, closes and sweeps while clients take and give back.
// Each slot has plain memory that only holders write and only the manager clears once reclaim()
// said that nobody holds it: were an order missing, that would be a data race.
#include <QTemporaryDir>
#include <QtTest>
#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "registry/reference_counter.h"

using namespace snakepit::shm;
using layout::LeasePage;

namespace {

constexpr std::uint32_t kClients = 3;
constexpr std::uint32_t kThreads = 2;  // of each client
constexpr std::uint32_t kSlots = 4;
constexpr int kRounds = 4000;

struct Cell {  // the memory of a slot: one plain word for each holder's thread
    std::array<std::uint64_t, kClients * kThreads> written{};
    std::atomic<std::uint64_t> generation{0};
};

}  // namespace

class LeaseProtocol : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void nobody_holds_what_was_reclaimed();
    void a_closed_region_is_reclaimed_though_its_users_overlap();
    void a_sweep_misses_no_take();

  private:
    void hold_and_write(std::uint32_t client, std::uint32_t thread);
    void count_takes();
    void join();

    std::unique_ptr<QTemporaryDir> directory_;
    std::unique_ptr<GrantTable> grants_;
    std::unique_ptr<ReferenceCounter> counter_;
    std::array<Cell, kSlots> cells_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> taken_{0};
    std::uint64_t swept_ = 0;
    std::vector<std::thread> threads_;
};

void LeaseProtocol::init() {
    directory_ = std::make_unique<QTemporaryDir>("/dev/shm/snakepit-test-XXXXXX");
    const auto path = directory_->path().toStdString();
    auto grants = GrantTable::open(path + "/grants", 7);
    QVERIFY(grants.has_value());
    grants_ = std::make_unique<GrantTable>(std::move(*grants));
    counter_ = std::make_unique<ReferenceCounter>(*grants_, path, 7);
    for (std::uint32_t i = 0; i < kClients; ++i)
        QCOMPARE(counter_->add_client({{i, 1, 1}, 1, "client"}, i + 1, {}).value(), i);
    for (auto& cell : cells_) {
        cell.written = {};
        cell.generation.store(0);
    }
    stop_ = false;
    taken_ = swept_ = 0;
    threads_.clear();
}

void LeaseProtocol::join() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
}

void LeaseProtocol::hold_and_write(std::uint32_t client, std::uint32_t thread) {
    const LeasePage page = counter_->page(client);
    std::minstd_rand random(client * kThreads + thread + 1);
    while (!stop_.load(std::memory_order_relaxed)) {
        const auto slot = static_cast<std::uint32_t>(random() % kSlots);
        auto& cell = cells_[slot];
        const auto generation = cell.generation.load(std::memory_order_relaxed);
        if (generation == 0 || page.acquire(slot, generation) != LeasePage::Acquire::acquired)
            continue;
        taken_.fetch_add(1, std::memory_order_relaxed);
        auto& word = cell.written[client * kThreads + thread];
        word = generation;
        if (random() % 8 == 0) std::this_thread::yield();
        if (word != generation) qFatal("slot %u was reclaimed while it was held", slot);
        page.release(slot, generation);
    }
}

void LeaseProtocol::count_takes() {
    counter_->sweep([this](std::uint32_t, std::uint64_t takes) { swept_ += takes; });
}

void LeaseProtocol::nobody_holds_what_was_reclaimed() {
    for (std::uint32_t client = 0; client < kClients; ++client)
        for (std::uint32_t slot = 0; slot < kSlots; ++slot)
            QVERIFY(counter_->grant(client, slot, 1, AccessMode::read_write));
    for (auto& cell : cells_) cell.generation.store(1, std::memory_order_relaxed);
    for (std::uint32_t client = 0; client < kClients; ++client)
        for (std::uint32_t thread = 0; thread < kThreads; ++thread)
            threads_.emplace_back([=, this] { hold_and_write(client, thread); });
    std::minstd_rand random(99);
    int reclaimed = 0, refused = 0;
    for (int round = 0; round < kRounds || reclaimed < 100 || refused < 100; ++round) {
        if (round % 4 == 0) std::this_thread::yield();  // on one core the others come in only then
        const auto slot = static_cast<std::uint32_t>(random() % kSlots);
        auto& cell = cells_[slot];
        auto generation = cell.generation.load(std::memory_order_relaxed);
        if (random() % 2 == 0) counter_->close(slot, generation);
        if (random() % 4 == 0) count_takes();
        if (counter_->reclaim(slot, generation)) {
            ++reclaimed;
            cell.written =
                {};  // plain: ordered by reclaim() behind, and by the grant before, every holder
            cell.generation.store(++generation, std::memory_order_relaxed);
        } else {
            ++refused;
        }
        for (std::uint32_t client = 0; client < kClients; ++client)
            QVERIFY(counter_->grant(client, slot, generation, AccessMode::read_write));
    }
    join();
    for (std::uint32_t slot = 0; slot < kSlots; ++slot)
        QVERIFY(counter_->reclaim(slot, cells_[slot].generation.load()));
}

void LeaseProtocol::a_closed_region_is_reclaimed_though_its_users_overlap() {
    for (std::uint32_t client = 0; client < kClients; ++client)
        QVERIFY(counter_->grant(client, 0, 1, AccessMode::read_write));
    cells_[0].generation.store(1, std::memory_order_relaxed);
    for (std::uint32_t client = 0; client < kClients; ++client)
        for (std::uint32_t thread = 0; thread < kThreads; ++thread)
            threads_.emplace_back([=, this] { hold_and_write(client, thread); });
    while (taken_.load(std::memory_order_relaxed) < 1000) std::this_thread::yield();
    // Idle grants go at each try, and those that are held get no new references.
    do counter_->close(0, 1);
    while (!counter_->reclaim(0, 1));
    cells_[0].written = {};
    join();
    QVERIFY(counter_->holders(0, 1).empty());
    for (const auto word : cells_[0].written) QCOMPARE(word, 0U);
}

void LeaseProtocol::a_sweep_misses_no_take() {
    for (std::uint32_t client = 0; client < kClients; ++client)
        for (std::uint32_t slot = 0; slot < kSlots; ++slot)
            QVERIFY(counter_->grant(client, slot, 1, AccessMode::read_write));
    for (auto& cell : cells_) cell.generation.store(1, std::memory_order_relaxed);
    for (std::uint32_t client = 0; client < kClients; ++client)
        for (std::uint32_t thread = 0; thread < kThreads; ++thread)
            threads_.emplace_back([=, this] { hold_and_write(client, thread); });
    while (taken_.load(std::memory_order_relaxed) < 50'000) count_takes();
    join();
    count_takes();
    QCOMPARE(swept_, taken_.load());
    bool again = false;
    counter_->sweep([&](std::uint32_t, std::uint64_t) { again = true; });
    QVERIFY(!again);
}

QTEST_GUILESS_MAIN(LeaseProtocol)
#include "tst_lease_protocol.moc"
