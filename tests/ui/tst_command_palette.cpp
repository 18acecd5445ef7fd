// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that the window can do is found by name, and its key is shown.
#include <QAbstractButton>
#include <QLineEdit>
#include <QTreeWidget>

#include "fixture.h"
#include "patience.h"
#include "ui/dialogs/command_palette.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::size_t kRegions = 20;

CommandPalette* opened(MainWindow& window) {
    window.activateWindow();
    if (!QTest::qWaitForWindowActive(&window, 60'000)) return nullptr;
    QTest::keyClick(&window, Qt::Key_K, Qt::ControlModifier);
    CommandPalette* palette = nullptr;
    // One that was closed a moment ago may still be there.
    (void)QTest::qWaitFor(
        [&] {
            for (auto* one : window.findChildren<CommandPalette*>())
                if (one->isVisible()) palette = one;
            return palette != nullptr;
        },
        60'000);
    return palette;
}

QStringList names_in(const CommandPalette& palette) {
    QStringList out;
    const auto* list = palette.findChild<QTreeWidget*>();
    for (int i = 0; i < list->topLevelItemCount(); ++i) out += list->topLevelItem(i)->text(0);
    return out;
}

}  // namespace

class TestCommandPalette : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_key_of_the_window_is_listed() {
        Fixture fixture(kRegions);
        for (const auto& page : MainWindow::page_names()) {
            fixture.window.show_page(page);
            QSet<QString> wanted;
            for (const auto* button : fixture.window.findChildren<QAbstractButton*>())
                if (button->isVisibleTo(&fixture.window) && !button->shortcut().isEmpty())
                    wanted += button->shortcut().toString(QKeySequence::NativeText);
            CommandPalette palette(fixture.window);
            const auto* list = palette.findChild<QTreeWidget*>();
            for (int i = 0; i < list->topLevelItemCount(); ++i)
                wanted -= list->topLevelItem(i)->text(1);
            QVERIFY2(wanted.isEmpty(), qPrintable(page + QStringLiteral(": ") +
                                                  wanted.values().join(QLatin1Char(' '))));
        }
    }

    void words_in_any_order_find_an_action_and_return_carries_it_out() {
        Fixture fixture(kRegions);
        auto* palette = opened(fixture.window);
        QVERIFY(palette);
        QTRY_VERIFY_WITH_TIMEOUT(palette->isVisible(), kPatienceMs);
        keep(*palette, QStringLiteral("command-palette"));
        auto* line = palette->findChild<QLineEdit*>();
        QTest::keyClicks(line, QStringLiteral("HOST go"));
        QCOMPARE(names_in(*palette), QStringList(QStringLiteral("Go to Host")));
        QTest::keyClick(line, Qt::Key_Return);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.window.findChildren<CommandPalette*>().isEmpty(),
                                 kPatienceMs);
        const auto names = MainWindow::page_names();
        auto* stack = fixture.window.findChild<QStackedWidget*>();
        QTRY_COMPARE_WITH_TIMEOUT(stack->currentIndex(), int(names.indexOf(QStringLiteral("host"))),
                                  kPatienceMs);
    }

    void the_arrows_choose_and_escape_does_nothing() {
        Fixture fixture(kRegions);
        auto* palette = opened(fixture.window);
        QVERIFY(palette);
        auto* list = palette->findChild<QTreeWidget*>();
        auto* line = palette->findChild<QLineEdit*>();
        QTest::keyClick(line, Qt::Key_Down);
        QCOMPARE(list->indexOfTopLevelItem(list->currentItem()), 1);
        QTest::keyClick(line, Qt::Key_Up);
        QTest::keyClick(line, Qt::Key_Up);
        QCOMPARE(list->indexOfTopLevelItem(list->currentItem()), 0);
        QTest::keyClicks(line, QStringLiteral("nothing has this name"));
        QCOMPARE(list->topLevelItemCount(), 0);
        QTest::keyClick(line, Qt::Key_Return);
        QVERIFY(palette->isVisible());
        QTest::keyClick(line, Qt::Key_Escape);
        QVERIFY(!palette->isVisible());
        QVERIFY(!fixture.workspace.paused());
    }

    void what_is_disabled_is_listed_and_not_carried_out() {
        Fixture fixture(kRegions);
        auto* pause = [&]() -> QAbstractButton* {
            for (auto* button : fixture.window.findChildren<QAbstractButton*>())
                if (button->accessibleName().startsWith(QStringLiteral("Pause"))) return button;
            return nullptr;
        }();
        QVERIFY(pause);
        pause->setEnabled(false);
        auto* palette = opened(fixture.window);
        QVERIFY(palette);
        auto* line = palette->findChild<QLineEdit*>();
        QTest::keyClicks(line, QStringLiteral("pause"));
        QCOMPARE(names_in(*palette).size(), 1);
        QTest::keyClick(line, Qt::Key_Return);
        QVERIFY(palette->isVisible());
        pause->setEnabled(true);
        palette->reject();
        palette = opened(fixture.window);
        QTest::keyClicks(palette->findChild<QLineEdit*>(), QStringLiteral("pause"));
        QTest::keyClick(palette->findChild<QLineEdit*>(), Qt::Key_Return);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.workspace.paused(), kPatienceMs);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestCommandPalette)
#include "tst_command_palette.moc"
