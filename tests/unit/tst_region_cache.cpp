// SPDX-License-Identifier: MIT
// What a client knows of its regions, as they come and go.
#include <QtTest>

#include <deque>
#include <vector>

#include "client/region_cache.h"

using namespace snakepit::shm;
using layout::LeaseOffsets;
using layout::LeasePage;
using layout::LeaseWord;

class RegionCacheTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void it_does_not_grow_with_the_regions_there_were();
    void a_region_that_is_granted_stays_known();

  private:
    // One more region, granted in `slot`.
    RegionId add(std::uint32_t slot);
    LeasePage lease() { return LeasePage(reinterpret_cast<std::byte*>(page_.data())); }

    std::vector<std::uint64_t> page_;  // a lease page
    std::unique_ptr<RegionCache> cache_;
    std::uint64_t generation_ = 0;
};

void RegionCacheTest::init() {
    page_.assign(LeaseOffsets::end / sizeof(std::uint64_t), 0);
    cache_ = std::make_unique<RegionCache>();
    generation_ = 0;
}

RegionId RegionCacheTest::add(std::uint32_t slot) {
    cache_->purge(lease(), 8);
    const auto id = RegionId::generate();
    ++generation_;
    lease().word(slot).store(LeaseWord::make(generation_, 1));
    auto& entry = cache_->at(id);
    entry.slot = slot;
    entry.generation = generation_;
    return id;
}

void RegionCacheTest::it_does_not_grow_with_the_regions_there_were() {
    std::deque<RegionId> live;
    for (std::uint32_t i = 0; i < 200'000; ++i) {
        live.push_back(add(i % 100));
        if (live.size() > 60) live.pop_front();
        if (i >= 60) lease().word((i - 60) % 100).store(0);
        QVERIFY(cache_->find(live.front()) && cache_->find(live.back()));
    }
    QVERIFY2(cache_->size() < 200, qPrintable(QString::number(cache_->size())));
    QVERIFY2(cache_->cells() <= 1024, qPrintable(QString::number(cache_->cells())));
}

void RegionCacheTest::a_region_that_is_granted_stays_known() {
    std::vector<RegionId> granted;
    for (std::uint32_t i = 0; i < 3000; ++i) granted.push_back(add(i));
    for (std::uint32_t i = 0; i < 50'000; ++i) {
        add(3000 + i % 7);
        const auto* known = cache_->find(granted[i % granted.size()]);
        QVERIFY(known && known->slot == i % granted.size());
    }
}

QTEST_GUILESS_MAIN(RegionCacheTest)
#include "tst_region_cache.moc"
