// SPDX-License-Identifier: GPL-3.0-or-later
// Arenas: what is in them, where, and defragmentation.
#include "rich_fixture.h"
#include "ui/models/arena_model.h"
#include "ui/pages/arena_map.h"
#include "ui/pages/arenas_page.h"

namespace snakepit::shm::ui {

namespace {

constexpr auto kReport = R"({"arenas":[
 {"name":"/snakepit_a","uid":0,"size":67108864,"used":3145728,"holes":1048576,"largest_free":1048576,"reserved":8388608,"dirty":4096},
 {"name":"/snakepit_b","uid":1,"size":134217728,"used":65536,"holes":0,"largest_free":99,"reserved":65536,"dirty":0}],
 "total":{"arenas":7,"size":201326592,"used":3211264,"holes":1048576,"fragmentation":0.25,"largest_free":1048576,"reserved":8454144,"dirty":4096}})";

ArenaMap::Slice slice(std::uint64_t offset, std::uint64_t size, const char* id) {
    return {offset, size, QString::fromLatin1(id), QString::fromLatin1(id)};
}

ArenasPage& opened(Fixture& fixture) {
    auto* page = fixture.window.findChild<ArenasPage*>();
    QSignalSpy loaded(page, &ArenasPage::loaded);
    fixture.window.show_page(QStringLiteral("arenas"));
    loaded.wait(10'000);
    return *page;
}

}  // namespace

class TestArenas : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_report_is_read_and_nonsense_is_refused() {
        const auto report = parse_arenas(kReport);
        QVERIFY(report);
        QCOMPARE(report->arenas.size(), std::size_t{2});
        QCOMPARE(report->count, 7U);
        QCOMPARE(report->arenas[0].holes, 1048576U);
        QCOMPARE(report->fragmentation, 0.25);
        QVERIFY(!parse_arenas("[]"));
        QVERIFY(!parse_arenas("{"));
        const auto hostile = parse_arenas(R"({"arenas":[7,{"size":-5,"name":3}],"total":"x"})");
        QVERIFY(hostile && hostile->arenas.size() == 2 && hostile->arenas[1].size == 0);
    }

    void the_map_finds_a_region_by_each_of_its_pixels() {
        ArenaMap map;
        map.setContentsMargins(0, 0, 0, 0);
        map.resize(400, 22);  // one line
        map.show_arena(
            4000, {slice(0, 400, "first"), slice(2000, 10, "small"), slice(3900, 100, "last")});
        const auto id = [&](int x) {
            const auto* found = map.at({x, 5});
            return found ? found->id : QString();
        };
        QCOMPARE(id(0), QStringLiteral("first"));
        QCOMPARE(id(39), QStringLiteral("first"));
        QCOMPARE(id(41), QString());
        QCOMPARE(id(200), QStringLiteral("small"));
        QCOMPARE(id(202), QString());
        QCOMPARE(id(399), QStringLiteral("last"));
        QVERIFY(!map.at({400, 5}) && !map.at({5, 30}));
        // On two lines the same byte is on the second one.
        map.resize(400, 48);
        QCOMPARE(map.at({398, 30})->id, QStringLiteral("last"));
        QVERIFY(!map.at({398, 5}));
        map.setContentsMargins(10, 0, 0, 0);
        map.resize(410, 48);
        QCOMPARE(map.at({408, 30})->id, QStringLiteral("last"));
        QVERIFY(!map.at({5, 5}) && map.at({10, 5})->id == QStringLiteral("first"));
        QVERIFY(map.accessibleDescription().contains(QStringLiteral("3 regions")));
        map.show_arena(0, {});
        QVERIFY(!map.at({0, 0}));
        map.grab();
    }

    void the_page_lists_arenas_and_says_how_many_are_not_listed() {
        RichFixture fixture;
        fixture.manager->arena_report = parse_arenas(kReport);
        auto& page = opened(fixture);
        auto* table = page.findChild<TableView*>();
        QCOMPARE(table->model()->rowCount(), 2);
        QCOMPARE(table->model()->index(0, kArenaName).data().toString(),
                 QStringLiteral("/snakepit_b"));  // the largest first
        QVERIFY(says(page, QStringLiteral("2 are listed")));
        QVERIFY(says(page, QStringLiteral("25.0 %")));
        keep(fixture.window, QStringLiteral("arenas"));
    }

    void defragmenting_says_what_it_did() {
        RichFixture fixture;
        fixture.manager->arena_report = parse_arenas(kReport);
        fixture.manager->defragmented = DefragmentResult{3, 4096, 1, 2};
        auto& page = opened(fixture);
        auto* run = button(page, QStringLiteral("Defragment"));
        QVERIFY(run && run->toolTip().contains(QStringLiteral("snakepit-shm defragment")));
        run->click();
        QTRY_VERIFY_WITH_TIMEOUT(says(page, QStringLiteral("Moved 3 regions")), 10'000);
        QVERIFY(says(page, QStringLiteral("Released 2 arenas")));
        QVERIFY(says(page, QStringLiteral("1 region is in use")));
        QCOMPARE(fixture.manager->defragmentations, 1);
    }

    void what_cannot_be_loaded_is_not_drawn() {
        RichFixture fixture;
        fixture.manager->arena_report =
            fail(ErrorCode::no_manager, "no manager is running", "start one");
        auto& page = opened(fixture);
        QVERIFY(says(page, QStringLiteral("could not be loaded")));
        QCOMPARE(page.findChild<TableView*>()->model()->rowCount(), 0);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestArenas)
#include "tst_arenas.moc"
