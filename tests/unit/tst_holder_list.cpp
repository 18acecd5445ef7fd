// SPDX-License-Identifier: MIT
// Who holds a region, packed into the text of a ring entry.
#include <QtTest>

#include <random>

#include "events/holder_list.h"
#include "layout/registry_layout.h"
#include "registry/region_registry.h"

using namespace snakepit::shm;

class TestHolderList : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_fits_comes_back_as_it_was();
    void an_entry_holds_the_workers_of_a_pool();
    void workers_are_named_where_there_is_room();
    void whoever_takes_it_for_text_reads_none();
    void what_is_no_list_gives_no_holders();

  private:
    static std::vector<HolderEntry> through_an_entry(const std::vector<HolderEntry>& holders) {
        layout::EventEntry entry{};
        copy_text(entry.text, pack_holders(holders));
        return unpack_holders(entry.text);
    }
};

void TestHolderList::what_fits_comes_back_as_it_was() {
    std::mt19937_64 random(1);
    for (int round = 0; round < 2000; ++round) {
        std::vector<HolderEntry> holders(random() % 6);
        std::int64_t pid = 0;
        for (auto& holder : holders) {
            pid += 1 + static_cast<std::int64_t>(random() % (1U << 22));
            holder = {pid,
                      static_cast<std::int64_t>(random() >> (random() % 60)),
                      std::string(random() % 16, static_cast<char>('a' + random() % 26)),
                      static_cast<std::uint32_t>(random() >> (32 + random() % 32)),
                      random() % 2 == 0,
                      {}};
            if (holder.start_time < 0) holder.start_time = -(holder.start_time + 1);
        }
        const auto got = through_an_entry(holders);
        QVERIFY(got.size() >= std::min<std::size_t>(holders.size(), 1));
        QVERIFY(std::equal(got.begin(), got.end(), holders.begin()));
    }
}

void TestHolderList::an_entry_holds_the_workers_of_a_pool() {
    std::vector<HolderEntry> pool;
    for (int i = 0; i < 16; ++i)
        pool.push_back({71'000 + 3 * i, 9'123'456 + 7 * i, "python3", 1, true, {}});
    QVERIFY(through_an_entry(pool).size() >= 12);
    QCOMPARE(through_an_entry({}).size(), std::size_t{0});
}

void TestHolderList::workers_are_named_where_there_is_room() {
    std::vector<HolderEntry> pool;
    for (int i = 0; i < 16; ++i)
        pool.push_back({71'000 + 3 * i, 9'123'456 + 7 * i, "python3", 1, true,
                        "worker-" + std::to_string(i + 1)});
    const auto got = through_an_entry(pool);
    QVERIFY2(got.size() >= 7, qPrintable(QString::number(got.size())));
    QVERIFY(std::all_of(got.begin(), got.end() - 1, [&](const HolderEntry& holder) {
        return holder == pool[static_cast<std::size_t>(&holder - got.data())];
    }));
    // The holder matters more than its worker's name.
    const HolderEntry large{1LL << 22, (1LL << 62) + 1, std::string(15, 'p'),
                            1U << 31,  false,           std::string(31, 'w')};
    const auto alone = through_an_entry({large});
    QCOMPARE(alone.size(), std::size_t{1});
    QCOMPARE(alone.front().process, large.process);
    QVERIFY(alone.front().worker == large.worker || alone.front().worker.empty());
    const HolderEntry unnamed{5, 6, "python3", 1, false, {}};
    const auto mixed = through_an_entry({{3, 4, "python3", 1, false, "w1"}, unnamed});
    QVERIFY(mixed.size() == 2 && mixed[0].worker == "w1" && mixed[1] == unnamed);
}

void TestHolderList::whoever_takes_it_for_text_reads_none() {
    const auto text = pack_holders({{1, 2, "program", 3, false, {}}});
    QCOMPARE(std::string(text.c_str()), std::string());
}

void TestHolderList::what_is_no_list_gives_no_holders() {
    std::mt19937_64 random(2);
    for (int round = 0; round < 5000; ++round) {
        std::array<char, 72> bytes{};
        for (auto& byte : bytes) byte = static_cast<char>(random());
        if (round % 2 == 0) bytes[0] = 0;
        QVERIFY(unpack_holders(bytes).size() <= bytes.size());  // and it ends
    }
    QVERIFY(unpack_holders(std::string_view("python3")).empty());
}

QTEST_APPLESS_MAIN(TestHolderList)
#include "tst_holder_list.moc"
