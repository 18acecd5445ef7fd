// SPDX-License-Identifier: GPL-3.0-or-later
// Arenas: what is in them, where, and defragmentation.
#include "patience.h"
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

ArenaMap::Slice slice(std::uint64_t offset, std::uint64_t size, std::uint64_t id) {
    return {offset, size, {id, id}};
}

ArenasPage& opened(Fixture& fixture) {
    auto* page = fixture.window.findChild<ArenasPage*>();
    QSignalSpy loaded(page, &ArenasPage::loaded);
    fixture.window.show_page(QStringLiteral("arenas"));
    loaded.wait(60'000);
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
        constexpr std::uint64_t kFirst = 1, kSmall = 2, kLast = 3, kNone = 0;
        ArenaMap map([](const RegionId&) { return QString(); });
        map.setContentsMargins(0, 0, 0, 0);
        map.resize(400, 22);  // one line
        map.show_arena(4000,
                       {slice(0, 400, kFirst), slice(2000, 10, kSmall), slice(3900, 100, kLast)});
        const auto at = [&](int x, int y) {
            const auto* found = map.at({x, y});
            return found ? found->id.micros : kNone;
        };
        QCOMPARE(at(0, 5), kFirst);
        QCOMPARE(at(39, 5), kFirst);
        QCOMPARE(at(41, 5), kNone);
        QCOMPARE(at(200, 5), kSmall);
        QCOMPARE(at(202, 5), kNone);
        QCOMPARE(at(399, 5), kLast);
        QCOMPARE(at(400, 5), kNone);
        QCOMPARE(at(5, 30), kNone);
        // On two lines the same byte is on the second one.
        map.resize(400, 48);
        QCOMPARE(at(398, 30), kLast);
        QCOMPARE(at(398, 5), kNone);
        map.setContentsMargins(10, 0, 0, 0);
        map.resize(410, 48);
        QCOMPARE(at(408, 30), kLast);
        QCOMPARE(at(5, 5), kNone);
        QCOMPARE(at(10, 5), kFirst);
        QVERIFY(map.accessibleDescription().contains(QStringLiteral("3 regions")));
        map.show_arena(0, {});
        QCOMPARE(at(10, 0), kNone);
        map.grab();
    }

    void an_arena_of_many_regions_is_shown_at_once() {
        constexpr std::uint64_t kRegions = 100'000, kSize = 64;
        ArenaMap map([](const RegionId&) { return QString(); });
        map.resize(1000, 200);
        std::vector<ArenaMap::Slice> slices;
        for (std::uint64_t i = 0; i < kRegions; ++i)
            slices.push_back(slice(i * 2 * kSize, kSize, i + 1));
        map.show_arena(kRegions * 2 * kSize, std::move(slices));
        map.grab();
        const auto* last = map.at({map.width() - 20, 161});
        QVERIFY(last != nullptr);
        const auto* first = map.at(map.contentsRect().topLeft());
        QVERIFY(first && first->id.micros == 1);
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
        QTRY_VERIFY_WITH_TIMEOUT(says(page, QStringLiteral("Moved 3 regions")), kPatienceMs);
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
