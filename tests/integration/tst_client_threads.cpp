// SPDX-License-Identifier: MIT
// Threads of one program that allocate, map, unmap and deallocate the same regions, all at once.
#include <QtTest>
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "client/manager_client.h"
#include "service_fixture.h"

using namespace snakepit::shm;

namespace {

constexpr int kThreads = 6;
constexpr int kShared = 8;  // regions all threads use
constexpr int kSteps = 3000;
constexpr std::uint64_t kSize = 8192;

// Every word of a region says which region it is, so that a mapping of another one is noticed.
void fill(const MappedRegion& mapping, const RegionId& id) {
    auto* words = reinterpret_cast<std::uint64_t*>(mapping.data);
    for (std::size_t i = 0; i < mapping.size / 8; ++i)
        __atomic_store_n(words + i, id.random, __ATOMIC_RELAXED);
}

bool holds(const MappedRegion& mapping, const RegionId& id) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(mapping.data);
    for (std::size_t i = 0; i < mapping.size / 8; i += 64)
        if (__atomic_load_n(words + i, __ATOMIC_RELAXED) != id.random) return false;
    return mapping.size == kSize;
}

}  // namespace

class ClientThreads : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void random_operations_on_the_same_regions_keep_every_reference();

  private:
    Result<RegionId> make();
    void step(std::minstd_rand& random);
    void use(const RegionId& id, std::minstd_rand& random);
    void work(unsigned seed);
    void complain(const Error& error);

    test::Service service_;
    std::unique_ptr<ManagerClient> client_;
    std::mutex mutex_;
    std::array<RegionId, kShared> shared_;
    std::vector<std::string> complaints_;  // guarded by mutex_
    std::atomic<int> replaced_{0}, mapped_{0};
};

void ClientThreads::initTestCase() {
    service_.host().configure("max_regions_per_process = 1000\n");
    QVERIFY(service_.start());
    service_.host().use_in_this_process(service_.instance());
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    QVERIFY2(client.has_value(), client ? "" : client.error().sentence().c_str());
    client_ = std::move(*client);
}

void ClientThreads::complain(const Error& error) {
    const std::lock_guard held(mutex_);
    complaints_.push_back(error.sentence());
}

Result<RegionId> ClientThreads::make() {
    SHM_ASSIGN(const auto id, client_->allocate(kSize));
    SHM_ASSIGN(const auto mapping, client_->map(id, AccessMode::read_write));
    fill(mapping, id);
    SHM_TRY(client_->unmap(mapping));
    return id;
}

void ClientThreads::use(const RegionId& id, std::minstd_rand& random) {
    const auto access = random() % 2 ? AccessMode::read_write : AccessMode::read_only;
    const auto mapping = client_->map(id, access);
    if (!mapping) {  // another thread may have deallocated it meanwhile
        if (mapping.error().code != ErrorCode::region_not_found) complain(mapping.error());
        return;
    }
    ++mapped_;
    if (!holds(*mapping, id))
        complain(make_error(ErrorCode::corruption_detected, "a mapping shows another region"));
    if (access == AccessMode::read_write) fill(*mapping, id);
    if (random() % 4 == 0) std::this_thread::yield();
    if (!holds(*mapping, id))
        complain(make_error(ErrorCode::corruption_detected, "a region changed while it was held"));
    if (const auto given = client_->unmap(*mapping); !given) complain(given.error());
}

void ClientThreads::step(std::minstd_rand& random) {
    const auto index = random() % kShared;
    RegionId id;
    {
        const std::lock_guard held(mutex_);
        id = shared_[index];
    }
    if (random() % 24 != 0) return use(id, random);
    const auto fresh = make();
    if (!fresh) return complain(fresh.error());
    {
        const std::lock_guard held(mutex_);
        id = std::exchange(shared_[index], *fresh);
    }
    ++replaced_;
    if (const auto gone = client_->deallocate(id); !gone) complain(gone.error());
}

void ClientThreads::work(unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < kSteps; ++i) step(random);
}

void ClientThreads::random_operations_on_the_same_regions_keep_every_reference() {
    for (auto& id : shared_) {
        const auto made = make();
        QVERIFY2(made.has_value(), made ? "" : made.error().sentence().c_str());
        id = *made;
    }
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back([this, i] { work(i + 1); });
    for (auto& thread : threads) thread.join();
    for (const auto& complaint : complaints_) qWarning("%s", complaint.c_str());
    QVERIFY(complaints_.empty());
    QVERIFY(replaced_ > kThreads && mapped_ > kSteps);

    // What is left is the last eight, each with the reference its allocation holds and no other.
    QTRY_COMPARE_WITH_TIMEOUT(client_->list()->size(), std::size_t{kShared}, test::kPatienceMs);
    const auto regions = client_->list();
    for (const auto& region : *regions) QCOMPARE(region.reference_count, 1U);
    for (const auto& id : shared_) QCOMPARE(client_->deallocate(id).value(), true);
    QCOMPARE(client_->list()->size(), 0U);
    QTRY_VERIFY_WITH_TIMEOUT(service_.host().segments().isEmpty(), test::kPatienceMs);
}

QTEST_GUILESS_MAIN(ClientThreads)
#include "tst_client_threads.moc"
