// SPDX-License-Identifier: GPL-3.0-or-later
// The whole window over a synthetic world, under the offscreen platform.
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSettings>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>

#include "fixture.h"
#include "patience.h"
#include "ui/dialogs/cleanup_dialog.h"
#include "ui/dialogs/deallocate_dialog.h"
#include "ui/graphs/time_plot.h"
#include "ui/main_window.h"
#include "ui/models/settings.h"
#include "ui/models/workspace.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/region_table.h"
#include "ui/pages/regions_page.h"
#include "ui/pages/table_view.h"
#include "ui/theme.h"
#include "watchdog.h"

namespace snakepit::shm::ui {

namespace {

RegionTable* shown_table(MainWindow& window) {
    for (auto* page : window.findChildren<RegionsPage*>()) return &page->table();
    return nullptr;
}

}  // namespace

class TestWindow : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void every_page_fits_a_small_window_data() {
        QTest::addColumn<QSize>("size");
        QTest::addColumn<QString>("theme");
        for (const char* theme : {"light", "dark"})
            for (const QSize size : {QSize(640, 400), QSize(1024, 700), QSize(1600, 1000)})
                QTest::addRow("%dx%d %s", size.width(), size.height(), theme)
                    << size << QString::fromLatin1(theme);
    }

    // The smaller one scrolls.
    void every_page_fits_a_small_window() {
        QFETCH(QSize, size);
        QFETCH(QString, theme);
        Theme::instance().apply(*parse_theme(theme));
        Fixture fixture(200);
        auto& window = fixture.window;
        shown_table(window)->selectRow(2);
        const auto least = window.minimumSizeHint();
        QVERIFY2(least.width() <= 640 && least.height() <= 400,
                 qPrintable(QString("%1x%2").arg(least.width()).arg(least.height())));
        window.resize(size);
        for (const auto& name : MainWindow::page_names()) {
            QVERIFY(window.show_page(name));
            QCoreApplication::processEvents();
            QCOMPARE(window.size(), size);
            keep(window,
                 QStringLiteral("%1-%2").arg(
                     name, QString::fromLatin1(QTest::currentDataTag()).replace(u' ', u'-')));
            auto* page = window.findChild<QStackedWidget*>()->currentWidget();
            const auto* area = page->findChild<QScrollArea*>({}, Qt::FindDirectChildrenOnly);
            QVERIFY(area);
            if (size.width() >= 1024)
                QTRY_VERIFY2_WITH_TIMEOUT(
                    area->horizontalScrollBar()->maximum() == 0 &&
                        // Its four parts are below each other there.
                        (name == u"performance" || area->verticalScrollBar()->maximum() == 0),
                    qPrintable(QString("%1: %2x%3 do not fit")
                                   .arg(name)
                                   .arg(area->widget()->minimumSizeHint().width())
                                   .arg(area->widget()->minimumSizeHint().height())),
                    kPatienceMs);
        }
    }

    void every_page_paints_in_both_themes_data() {
        QTest::addColumn<QString>("theme");
        QTest::addColumn<int>("regions");
        for (const char* theme : {"light", "dark"})
            for (const int regions : {0, 200})
                QTest::addRow("%s %s", theme, regions ? "full" : "empty")
                    << QString::fromLatin1(theme) << regions;
    }

    void every_page_paints_in_both_themes() {
        QFETCH(QString, theme);
        QFETCH(int, regions);
        Theme::instance().apply(*parse_theme(theme));
        Fixture fixture(static_cast<std::size_t>(regions));
        QCOMPARE(fixture.workspace.regions().size() > 0, regions > 0);
        shown_table(fixture.window)->selectRow(2);
        for (const auto& page : MainWindow::page_names()) {
            QVERIFY(fixture.window.show_page(page));
            QSignalSpy ticks(&fixture.workspace, &Workspace::ticked);
            while (ticks.count() < 2) QVERIFY(ticks.wait(60'000));
            const auto picture = fixture.window.grab().toImage();
            QCOMPARE(picture.size(), fixture.window.size() * fixture.window.devicePixelRatio());
            const auto background = picture.pixelColor(picture.width() - 8, picture.height() / 2);
            QCOMPARE(background.lightness() < 128, theme == QStringLiteral("dark"));
            keep(fixture.window,
                 QStringLiteral("%1-%2").arg(
                     page, QString::fromLatin1(QTest::currentDataTag()).replace(u' ', u'-')));
        }
    }

    void a_page_that_does_not_exist_is_refused() {
        Fixture fixture(3);
        QVERIFY(!fixture.window.show_page(QStringLiteral("nonsense")));
    }

    void a_filter_that_cannot_be_understood_is_explained_and_changes_nothing() {
        Fixture fixture(200);
        fixture.window.show_page(QStringLiteral("regions"));
        auto* page = fixture.window.findChild<RegionsPage*>();
        const auto before = page->table().regions().shown();
        page->set_filter_text(QStringLiteral("size>"));
        auto* problem = page->findChild<QLabel*>(QStringLiteral("problem"));
        QVERIFY(problem->isVisible());
        QVERIFY(problem->text().contains(QStringLiteral("size")));
        QCOMPARE(page->table().regions().shown(), before);
        keep(fixture.window, QStringLiteral("filter-problem"));
        page->set_filter_text(QStringLiteral("state:orphan"));
        QVERIFY(!problem->isVisible());
        auto* badge = page->findChild<QLabel*>(QStringLiteral("badge"));
        QVERIFY(badge->isVisible());
        QVERIFY(badge->text().contains(QStringLiteral("of 200")));
        keep(fixture.window, QStringLiteral("filter-orphans"));
    }

    void a_filter_that_is_not_finished_applies_what_is_before_it() {
        Fixture fixture(200, 0);
        fixture.window.show_page(QStringLiteral("regions"));
        auto* page = fixture.window.findChild<RegionsPage*>();
        auto* line = page->findChild<FilterLine*>();
        auto* badge = page->findChild<QLabel*>(QStringLiteral("badge"));
        const auto& regions = page->table().regions();
        QCOMPARE(line->state(), FilterLine::State::empty);
        page->set_filter_text(QStringLiteral("state:orphan"));
        const auto orphans = regions.shown();
        QCOMPARE(line->state(), FilterLine::State::applied);
        page->set_filter_text(QStringLiteral("state:orphan size>"));
        QCOMPARE(line->state(), FilterLine::State::unfinished);
        QCOMPARE(regions.shown(), orphans);
        QVERIFY2(badge->text().contains(QStringLiteral("only “state:orphan” is applied")),
                 qPrintable(badge->text()));
        page->set_filter_text(QStringLiteral("colour:red size>1MiB words"));
        QCOMPARE(line->state(), FilterLine::State::refused);
        QCOMPARE(regions.shown(), orphans);
        page->set_filter_text(QStringLiteral("name:no-region-has-this"));
        QCOMPARE(line->state(), FilterLine::State::matches_nothing);
        page->set_filter_text({});
        QCOMPARE(line->state(), FilterLine::State::empty);
        QCOMPARE(regions.shown(), regions.total());
    }

    void what_was_filtered_by_is_offered_again() {
        const QTemporaryDir place;
        QSettings::setPath(QSettings::NativeFormat, QSettings::UserScope, place.path());
        set_remembering(true);
        FilterLine line(QStringLiteral("Filter"), {}, QStringLiteral("test"));
        line.add_term(QStringLiteral("state:orphan"));
        line.add_term(QStringLiteral("-owner:\"a & b\""));
        QCOMPARE(line.findChild<QLineEdit*>()->text(),
                 QStringLiteral("state:orphan -owner:\"a & b\""));
        line.show();
        QTest::keyClick(line.findChild<QLineEdit*>(), Qt::Key_Down);
        auto* menu = line.findChild<QMenu*>();
        set_remembering(false);
        QVERIFY(menu);
        QCOMPARE(menu->actions().size(), qsizetype{2});
        menu->actions().last()->trigger();
        QCOMPARE(line.findChild<QLineEdit*>()->text(), QStringLiteral("state:orphan"));
    }

    void every_table_of_regions_and_programs_has_the_filter_line_data() {
        QTest::addColumn<QString>("page");
        QTest::addColumn<QString>("filter");
        QTest::newRow("memory") << QStringLiteral("memory") << QStringLiteral("size>1MiB");
        QTest::newRow("references") << QStringLiteral("references") << QStringLiteral("refs>0");
        QTest::newRow("processes")
            << QStringLiteral("processes") << QStringLiteral("program:renderer");
    }

    void every_table_of_regions_and_programs_has_the_filter_line() {
        QFETCH(QString, page);
        QFETCH(QString, filter);
        Fixture fixture(60, 0);
        fixture.window.show_page(page);
        auto* shown = fixture.window.findChild<QStackedWidget*>()->currentWidget();
        auto* line = shown->findChild<FilterLine*>();
        QVERIFY(line);
        auto* badge = line->findChild<QLabel*>(QStringLiteral("badge"));
        line->set_text(filter);
        QTRY_VERIFY_WITH_TIMEOUT(
            badge->isVisible() && badge->text().startsWith(QStringLiteral("filtered: ")),
            kPatienceMs);
        line->set_text(QStringLiteral("size>"));
        QVERIFY(line->findChild<QLabel*>(QStringLiteral("problem"))->isVisible());
        QTest::keyClick(line->findChild<QLineEdit*>(), Qt::Key_Escape);
        line->set_text({});
        QTRY_VERIFY_WITH_TIMEOUT(!badge->isVisible(), kPatienceMs);
    }

    void what_is_selected_stays_selected_while_a_filter_hides_it() {
        Fixture fixture(100);
        fixture.window.show_page(QStringLiteral("regions"));
        auto* page = fixture.window.findChild<RegionsPage*>();
        auto& table = page->table();
        table.selectRow(4);
        const auto keys = table.selected_keys();
        QCOMPARE(keys.size(), std::size_t{1});
        page->set_filter_text(QStringLiteral("nothing-is-called-so"));
        QCOMPARE(table.regions().shown(), std::size_t{0});
        QCOMPARE(table.selected_keys(), keys);
        QCOMPARE(fixture.workspace.selection(), keys);
        page->set_filter_text({});
        QCOMPARE(table.selected_keys(), keys);
        QVERIFY(table.selectionModel()->hasSelection());
    }

    void a_manager_that_falls_silent_raises_the_banner_and_its_return_lowers_it() {
        Fixture fixture(20);
        auto* banner = fixture.window.findChild<QFrame*>(QStringLiteral("banner"));
        QVERIFY(!banner->isVisible());
        fixture.world.silence();
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), kPatienceMs);
        QVERIFY(fixture.workspace.regions().size() > 0);
        keep(fixture.window, QStringLiteral("banner"));
        fixture.world.revive();
        QTRY_VERIFY_WITH_TIMEOUT(!banner->isVisible(), kPatienceMs);
    }

    void the_window_never_stalls_while_its_regions_change_data() {
        QTest::addColumn<int>("regions");
        QTest::addColumn<double>("limit");  // ms; 0: measured and not judged
        QTest::newRow("10,000 regions") << 10000 << 100.0 * SNAKEPIT_TIME_FACTOR;
        QTest::newRow("100,000 regions") << 100000 << 0.0;
    }

    void the_window_never_stalls_while_its_regions_change() {
        QFETCH(int, regions);
        QFETCH(double, limit);
        Fixture fixture(static_cast<std::size_t>(regions), 0.2);
        for (const auto* page : {"regions", "dashboard"}) {
            fixture.window.show_page(QString::fromLatin1(page));
            QTest::qWait(50);
            Attempts attempts(limit);
            while (attempts.more()) {
                Watchdog watchdog;
                QSignalSpy ticks(&fixture.workspace, &Workspace::ticked);
                connect(&fixture.workspace, &Workspace::ticked, &ticks,
                        [&fixture] { fixture.window.grab(); });
                while (ticks.count() < 8) QVERIFY(ticks.wait(60'000));
                qInfo("%d regions, 20 %% change at a time, %s: at most %.1f ms at once", regions,
                      page, watchdog.worst_millis());
                attempts.took(watchdog.worst_millis());
            }
            QVERIFY(attempts.met());
        }
    }

    void a_cleanup_runs_exactly_the_plan_it_showed() {
        Fixture fixture(200);
        CleanupDialog dialog(fixture.workspace, CleanupDialog::Scope::orphans, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy rehearsed(&dialog, &CleanupDialog::rehearsed);
        QVERIFY(rehearsed.wait(60'000));
        keep(dialog, QStringLiteral("cleanup-plan"));
        auto* table = dialog.findChild<QTableWidget*>();
        QStringList planned;
        for (int row = 0; row < table->rowCount(); ++row)
            if (table->item(row, 2)->text() == QStringLiteral("remove"))
                planned << table->item(row, 0)->text();
        QVERIFY(!planned.isEmpty());
        QSignalSpy finished(&dialog, &CleanupDialog::finished_run);
        for (auto* button : dialog.findChildren<QPushButton*>())
            if (button->property("primary").toBool()) button->click();
        QVERIFY(finished.wait(60'000));
        const auto& requests = fixture.manager->cleanups;
        QCOMPARE(requests.size(), std::size_t{2});
        QVERIFY(requests[0].dry_run && requests[0].orphans);
        QVERIFY(!requests[1].dry_run && requests[1].orphans);
        QStringList ran;
        for (const auto& id : requests[1].only) ran << QString::fromStdString(id.str());
        QCOMPARE(ran, planned);
        keep(dialog, QStringLiteral("cleanup-done"));
    }

    void deallocating_lists_every_target_with_its_holders_first() {
        Fixture fixture(60, 0);
        std::vector<DeallocateTarget> targets;
        for (const auto& row : fixture.world.rows())
            if (targets.size() < 5) targets.push_back({row.info});
        DeallocateDialog dialog(fixture.workspace, targets, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        QSignalSpy observed(&dialog, &DeallocateDialog::observed);
        dialog.show();
        QVERIFY(observed.wait(60'000));
        auto* table = dialog.findChild<QTableWidget*>();
        QCOMPARE(table->rowCount(), 5);
        for (int row = 0; row < 5; ++row)
            QCOMPARE(table->item(row, 3)->text() == QStringLiteral("none"),
                     targets[static_cast<std::size_t>(row)].info.reference_count == 0);
        QVERIFY(fixture.manager->deallocations.empty());
        keep(dialog, QStringLiteral("deallocate"));
        QSignalSpy finished(&dialog, &DeallocateDialog::finished_run);
        for (auto* button : dialog.findChildren<QPushButton*>())
            if (button->property("danger").toBool()) button->click();
        QVERIFY(finished.wait(60'000));
        QCOMPARE(fixture.manager->deallocations.size(), std::size_t{5});
        QVERIFY(!fixture.manager->deallocations.front().second);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestWindow)
#include "tst_window.moc"
