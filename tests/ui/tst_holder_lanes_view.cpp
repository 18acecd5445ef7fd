// SPDX-License-Identifier: GPL-3.0-or-later
#include <QToolButton>

#include "past_fixture.h"
#include "patience.h"
#include "ui/graphs/holder_lanes_view.h"
#include "ui/models/settings.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/references_page.h"
#include "ui/theme.h"

using namespace snakepit::shm;
using namespace snakepit::shm::ui;

namespace {

constexpr std::int64_t kStart = 1'700'000'000;  // seconds

Timestamp at(std::int64_t second) {
    return {(kStart + second) * kMicrosPerSecond};
}

HolderLane lane(std::int64_t pid, std::vector<Hold> holds, const char* process = "trainer") {
    return {.pid = pid, .started = 1, .process = process, .worker = {}, .holds = std::move(holds)};
}

HolderLanes some() {
    HolderLanes out;
    out.first = at(0);
    out.lanes = {lane(7, {{at(10), {}, 2, false, {}}}),
                 lane(8, {{at(20), {}, 1, true, at(60)}}, "<b>loader"),
                 lane(9, {{at(5), at(15), 1, true, {}}, {at(40), at(50), 3, true, {}}})};
    return out;
}

}  // namespace

class TestHolderLanesView : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void lanes_are_told_in_sentences() {
        HolderLanesView view;
        view.resize(900, 240);
        view.show();
        view.show_lanes(some(), at(100));
        QVERIFY(view.sentence(0).contains(QStringLiteral("trainer (7) has held it for 2 min")) ||
                view.sentence(0).contains(QStringLiteral("trainer (7) has held it for 90 s")));
        QVERIFY(view.sentence(0).contains(QStringLiteral("read-write, up to 2 references")));
        QVERIFY(view.sentence(1).contains(QStringLiteral("it is unknown whether it still does")));
        QVERIFY(view.sentence(2).contains(QStringLiteral("until")));
        QVERIFY(view.sentence(2).contains(QStringLiteral("held 1 time earlier")));
        QVERIFY(view.accessibleDescription().contains(QStringLiteral("trainer (9) held it")));
        QCOMPARE(view.from(), at(0));
    }

    void both_themes_are_painted() {
        for (const auto theme : {ThemeChoice::light, ThemeChoice::dark}) {
            Theme::instance().apply(theme);
            HolderLanesView view;
            view.resize(900, 240);
            view.show();
            view.show_lanes(some(), at(100));
            keep(view, QStringLiteral("lanes_%1").arg(theme_name(theme)));
            view.resize(300, 80);  // narrow, and scrolled
            view.grab();
        }
        Theme::instance().apply(ThemeChoice::light);
    }

    void a_click_and_return_lead_to_a_moment() {
        HolderLanesView view;
        view.resize(900, 240);
        view.show();
        view.show_lanes(some(), at(100));
        QSignalSpy wanted(&view, &HolderLanesView::moment_wanted);
        QTest::mouseClick(view.viewport(), Qt::LeftButton, {}, QPoint(500, 26 + 15));
        QCOMPARE(wanted.count(), 1);
        const auto moment = wanted.front().front().value<Timestamp>();
        QVERIFY(moment > at(0) && moment < at(100));
        QCOMPARE(view.selected(), 0);
        // The name is not a place in time.
        QTest::mouseClick(view.viewport(), Qt::LeftButton, {}, QPoint(20, 26 + 15));
        QCOMPARE(wanted.count(), 1);
        QTest::keyClick(&view, Qt::Key_End);
        QCOMPARE(view.selected(), 2);
        QTest::keyClick(&view, Qt::Key_Return);
        QCOMPARE(wanted.count(), 2);
        QCOMPARE(wanted.back().front().value<Timestamp>(), at(40));
        QTest::keyClick(&view, Qt::Key_Up);
        QCOMPARE(view.selected(), 1);
        QVERIFY(view.accessibleDescription().contains(QStringLiteral("<b>loader (8)")));
    }

    void the_same_process_stays_selected() {
        HolderLanesView view;
        view.resize(900, 240);
        view.show_lanes(some(), at(100));
        QTest::keyClick(&view, Qt::Key_End);
        auto lanes = some();
        std::swap(lanes.lanes[0], lanes.lanes[2]);
        view.show_lanes(lanes, at(110));
        QCOMPARE(view.selected(), 0);
        view.show_lanes({}, at(120));
        QCOMPARE(view.selected(), -1);
    }

    void a_thousand_lanes_are_scrolled() {
        HolderLanes many;
        many.first = at(0);
        for (int i = 0; i < 1000; ++i)
            many.lanes.push_back(lane(i + 1, {{at(i), {}, 1, false, {}}}));
        HolderLanesView view;
        view.resize(900, 240);
        view.show();
        view.show_lanes(many, at(2000));
        QTest::keyClick(&view, Qt::Key_End);
        QCOMPARE(view.selected(), 999);
        view.grab();
    }

    void the_page_shows_who_held_the_selected_region() {
        PastFixture f;
        f.travel().go_to(f.minute(25));
        QTRY_VERIFY_WITH_TIMEOUT(f.shows(f.minute(25)), kPatienceMs);
        f.window.show_page(QStringLiteral("references"));
        auto* page = f.window.findChild<ReferencesPage*>();
        const auto* entry = f.workspace.regions().find(recorded_id(10, f.start));
        QVERIFY(entry);
        f.workspace.select({entry->key()});
        auto* choice = page->findChild<ChoiceRow*>();
        for (auto* button : choice->findChildren<QAbstractButton*>())
            if (button->text() == QStringLiteral("Holders")) button->click();
        auto* view = page->findChild<HolderLanesView*>();
        QTRY_COMPARE_WITH_TIMEOUT(view->lanes().lanes.size(), std::size_t{1}, kPatienceMs);
        QVERIFY(view->sentence(0).contains(QStringLiteral("holder (41) has held it")));
        keep(f.window, QStringLiteral("references_holders"));
        // At another moment, what was known by then.
        f.travel().go_to(f.minute(45));
        QTRY_VERIFY_WITH_TIMEOUT(!f.workspace.regions().find(recorded_id(10, f.start)),
                                 kPatienceMs);
        f.travel().go_live();
    }
};

QTEST_MAIN(TestHolderLanesView)
#include "tst_holder_lanes_view.moc"
