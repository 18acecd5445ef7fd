// SPDX-License-Identifier: MIT
#include <QtTest>
#include <map>
#include <random>

#include "registry/slot_index.h"

using namespace snakepit::shm;

class TestSlotIndex : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void finds_what_a_map_finds_after_any_changes_data();
    void finds_what_a_map_finds_after_any_changes();
    void tells_slots_of_one_hash_apart();
};

void TestSlotIndex::finds_what_a_map_finds_after_any_changes_data() {
    QTest::addColumn<quint64>("spread");  // of the hashes: few make long chains
    QTest::newRow("long chains") << quint64{7};
    QTest::newRow("some chains") << quint64{1'000};
    QTest::newRow("hardly any") << ~quint64{};
}

void TestSlotIndex::finds_what_a_map_finds_after_any_changes() {
    QFETCH(quint64, spread);
    std::mt19937_64 random(1);
    SlotIndex index;
    std::map<std::uint32_t, std::uint64_t> hash_of;  // by slot
    for (int i = 0; i < 20'000; ++i) {
        const auto slot = static_cast<std::uint32_t>(random() % 2'000);
        if (const auto known = hash_of.find(slot); known != hash_of.end()) {
            index.erase(known->second, slot);
            hash_of.erase(known);
        } else {
            hash_of[slot] = random() % spread;
            index.insert(hash_of[slot], slot);
        }
        if (i % 500 != 0) continue;
        for (std::uint32_t each = 0; each < 2'000; ++each) {
            const auto known = hash_of.find(each);
            const auto hash = known != hash_of.end() ? known->second : random() % spread;
            const auto found = index.find(hash, [&](std::uint32_t s) { return s == each; });
            QCOMPARE(found.has_value(), known != hash_of.end());
        }
    }
}

void TestSlotIndex::tells_slots_of_one_hash_apart() {
    SlotIndex index;
    for (std::uint32_t slot = 0; slot < 3; ++slot) index.insert(42, slot);
    index.erase(42, 1);
    index.erase(42, 99);  // never was there
    const auto is = [](std::uint32_t wanted) {
        return [wanted](std::uint32_t slot) { return slot == wanted; };
    };
    QVERIFY(index.find(42, is(0)) && index.find(42, is(2)));
    QVERIFY(!index.find(42, is(1)));
    QVERIFY(!index.find(43, is(0)));
}

QTEST_GUILESS_MAIN(TestSlotIndex)
#include "tst_slot_index.moc"
