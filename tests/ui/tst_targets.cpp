// SPDX-License-Identifier: GPL-3.0-or-later
// What an action will hit is in sight or named, and is what was shown; a picture that is not of
// this moment says so.
#include <QTableWidget>
#include <QToolButton>
#include <QWindow>

#include "patience.h"
#include "rich_fixture.h"
#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/dialogs/deallocate_dialog.h"
#include "ui/dialogs/rotate_dialog.h"
#include "ui/dialogs/silence_dialog.h"
#include "ui/models/rule_change.h"
#include "ui/models/settings.h"
#include "ui/pages/details_pane.h"
#include "ui/pages/region_table.h"
#include "ui/pages/regions_page.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

QString text_of(const RegionId& id) {
    return QString::fromStdString(id.str());
}

RegionReference held_by(std::int64_t pid, const char* program) {
    return {pid, program, 1, true, AccessMode::read_write};
}

// A region that no process holds, in a world that stands still.
struct TargetFixture : Fixture {
    TargetFixture() : Fixture(40, 0) {
        const auto rows = world.rows();
        id = rows[3].info.id;
        other = rows[7].info.id;
        for (const auto& one : {id, other}) hold(one, {});
        window.show_page(QStringLiteral("regions"));
    }
    void hold(const RegionId& region, std::vector<RegionReference> holders) {
        world.edit(region, [&holders](RegionRow& row) {
            row.info.state = RegionState::live;
            row.info.reference_count = holders.size();
            row.info.references = holders;
            row.holders = static_cast<std::uint32_t>(holders.size());
        });
    }
    RegionsPage& page() { return *window.findChild<RegionsPage*>(); }
    RegionKey key(const RegionId& region) { return workspace.regions().find(region)->key(); }
    void select(const RegionId& region) {
        page().table().selectRow(page().table().regions().row_of(key(region)));
    }
    DeallocateDialog* dialog() {
        for (auto* one : window.findChildren<QPushButton*>())
            if (one->isVisible() && one->text().startsWith(QStringLiteral("Deallocate")))
                one->click();
        return window.findChild<DeallocateDialog*>();
    }

    RegionId id, other;
};

// The dialog on one target, after it was observed for the first time.
struct DialogFixture : TargetFixture {
    explicit DialogFixture(std::vector<RegionReference> holders = {}) {
        hold(id, std::move(holders));
        dialog = std::make_unique<DeallocateDialog>(
            workspace, std::vector<DeallocateTarget>{{manager->info(id).value()}}, &window);
        dialog->setAttribute(Qt::WA_DeleteOnClose, false);
        QSignalSpy observed(dialog.get(), &DeallocateDialog::observed);
        dialog->show();
        observed.wait(60'000);
    }
    QString cell(int column) const {
        return dialog->findChild<QTableWidget*>()->item(0, column)->text();
    }
    QPushButton* danger() const {
        for (auto* button : dialog->findChildren<QPushButton*>())
            if (button->property("danger").toBool()) return button;
        return nullptr;
    }
    bool run() const {
        QSignalSpy finished(dialog.get(), &DeallocateDialog::finished_run);
        danger()->click();
        return finished.wait(60'000);
    }

    std::unique_ptr<DeallocateDialog> dialog;
};

constexpr int kHeldBy = 3, kPlan = 4;

}  // namespace

class TestTargets : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        set_remembering(false);
        Theme::instance().apply(ThemeChoice::light);
    }

    void a_region_that_is_shown_is_selected_alone() {
        TargetFixture fixture;
        fixture.select(fixture.id);
        Q_EMIT fixture.workspace.show_region(text_of(fixture.other));
        QCOMPARE(fixture.page().table().selected_keys(), std::vector{fixture.key(fixture.other)});
        QCOMPARE(fixture.workspace.selection(), std::vector{fixture.key(fixture.other)});
        QCoreApplication::processEvents();
        QVERIFY(says(*fixture.window.findChild<DetailsPane*>(), text_of(fixture.other)));
        auto* dialog = fixture.dialog();
        QVERIFY(dialog);
        auto* table = dialog->findChild<QTableWidget*>();
        QCOMPARE(table->rowCount(), 1);
        QCOMPARE(table->item(0, 0)->text(), text_of(fixture.other));
    }

    void what_a_filter_hides_of_the_selection_is_named_before_it_is_hit() {
        TargetFixture fixture;
        fixture.select(fixture.id);
        fixture.page().set_filter_text(text_of(fixture.other));
        const auto end = text_of(fixture.id).right(8);
        QTRY_VERIFY_WITH_TIMEOUT(says(fixture.page(), QStringLiteral("The filter hides 1 region")),
                                 kPatienceMs);
        QVERIFY(says(fixture.page(), end));
        QVERIFY(says(*fixture.window.findChild<DetailsPane*>(),
                     QStringLiteral("hidden by the filter")));
        QVERIFY(button(fixture.page(), QStringLiteral("Deallocate 1, 1 hidden…")));
        auto* dialog = fixture.dialog();
        QVERIFY(dialog);
        QVERIFY(says(*dialog, QStringLiteral("The filter hides 1 of these regions")));
        const auto* state = dialog->findChild<QTableWidget*>()->item(0, 2);
        QCOMPARE(state->data(kMarksRole).toStringList().size(), qsizetype{1});
        keep(fixture.window, QStringLiteral("hidden-selection"));
        keep(*dialog, QStringLiteral("deallocate-hidden"));
        dialog->close();
        button(fixture.page(), QStringLiteral("Deselect hidden"))->click();
        QVERIFY(fixture.workspace.selection().empty());
        QVERIFY(!says(fixture.page(), QStringLiteral("The filter hides")));
    }

    void the_buttons_act_on_what_another_page_selected() {
        TargetFixture fixture;
        fixture.select(fixture.id);
        fixture.window.show_page(QStringLiteral("references"));
        fixture.workspace.select({fixture.key(fixture.other)});
        fixture.window.show_page(QStringLiteral("regions"));
        QCOMPARE(fixture.page().table().selected_keys(), std::vector{fixture.key(fixture.other)});
    }

    void the_buttons_are_dead_once_the_selected_region_has_ended() {
        TargetFixture fixture;
        fixture.select(fixture.id);
        fixture.page().set_filter_text(text_of(fixture.other));
        fixture.world.remove(fixture.id);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.workspace.selection().empty(), kPatienceMs);
        QVERIFY(!button(fixture.page(), QStringLiteral("Deallocate…"))->isEnabled());
    }

    void the_dialog_follows_who_holds_its_targets() {
        DialogFixture fixture;
        QCOMPARE(fixture.cell(kHeldBy), QStringLiteral("none"));
        QCOMPARE(fixture.cell(kPlan), QStringLiteral("freed immediately"));
        fixture.hold(fixture.id, {held_by(900, "late")});
        QTRY_VERIFY_WITH_TIMEOUT(fixture.cell(kHeldBy).contains(QStringLiteral("late 900")),
                                 kPatienceMs);
        QVERIFY(fixture.cell(kPlan).contains(QStringLiteral("withdrawn")));
        QVERIFY(says(*fixture.dialog, QStringLiteral("Other programs hold 1 region now")));
    }

    void nobody_who_was_not_shown_is_hit() {
        DialogFixture fixture;
        fixture.hold(fixture.id, {held_by(900, "late")});
        QVERIFY(fixture.run());
        QVERIFY(fixture.manager->deallocations.empty());
        QVERIFY(fixture.cell(kHeldBy).contains(QStringLiteral("late 900")));
        QVERIFY(says(*fixture.dialog, QStringLiteral("Check who holds them")));
        keep(*fixture.dialog, QStringLiteral("deallocate-changed"));
        QVERIFY(fixture.danger()->isEnabled());
        QVERIFY(fixture.run());
        QCOMPARE(fixture.manager->deallocations.size(), std::size_t{1});
        QCOMPARE(fixture.cell(kPlan), QStringLiteral("withdrawn"));
        QVERIFY(!fixture.danger()->isEnabled());
    }

    void another_process_under_the_same_number_was_not_shown() {
        TargetFixture world;
        world.manager->start_times[900] = 1;
        world.hold(world.id, {held_by(900, "reader")});
        const auto shown = observe_region(*world.manager, world.id);
        QVERIFY(shown.has_value());
        world.manager->start_times[900] = 2;
        const auto outcome = deallocate_as_shown(*world.manager, *shown, true);
        QVERIFY(outcome.changed.has_value());
        QVERIFY(world.manager->deallocations.empty());
        QVERIFY(!deallocate_as_shown(*world.manager, *outcome.changed, true).changed);
        QCOMPARE(world.manager->deallocations.size(), std::size_t{1});
    }

    void who_has_let_go_needs_no_second_confirmation() {
        DialogFixture fixture({held_by(900, "reader"), held_by(901, "writer")});
        fixture.hold(fixture.id, {held_by(901, "writer")});
        QVERIFY(fixture.run());
        QCOMPARE(fixture.manager->deallocations.size(), std::size_t{1});
    }

    void a_region_that_is_gone_has_not_failed() {
        DialogFixture fixture;
        fixture.world.remove(fixture.id);
        QVERIFY(fixture.run());
        QCOMPARE(fixture.cell(kPlan), QStringLiteral("already gone"));
        QVERIFY(says(*fixture.dialog, QStringLiteral("already gone")));
        QVERIFY(!says(*fixture.dialog, QStringLiteral("failed")));
        QVERIFY(fixture.manager->deallocations.empty());
    }

    void force_says_what_it_did() {
        DialogFixture fixture({held_by(900, "reader")});
        fixture.dialog->findChild<QCheckBox*>()->setChecked(true);
        QVERIFY(fixture.cell(kPlan).contains(QStringLiteral("revoked")));
        QVERIFY(fixture.run());
        QCOMPARE(fixture.cell(kPlan), QStringLiteral("revoked"));
        QCOMPARE(fixture.cell(2), QStringLiteral("revoked"));
        QCOMPARE(fixture.dialog->findChild<QTableWidget*>()->horizontalHeaderItem(kPlan)->text(),
                 QStringLiteral("Result"));
        QVERIFY(fixture.manager->deallocations.front().second);
    }

    void a_rule_that_another_user_has_changed_is_shown_before_it_is_replaced() {
        RichFixture fixture;
        const auto shown = make_rules().front();
        AlertRuleDialog dialog(fixture.workspace, shown, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        auto theirs = shown;
        theirs.threshold = 0.5;
        QVERIFY(fixture.monitoring->set_rule(theirs));
        named<QLineEdit>(dialog, QStringLiteral("Limit"))->setText(QStringLiteral("95 %"));
        QSignalSpy finished(&dialog, &AlertRuleDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        QVERIFY(dialog.isVisible() && says(dialog, QStringLiteral("another user has changed")));
        QCOMPARE(fixture.monitoring->rules_set().size(), std::size_t{1});
        primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        QCOMPARE(fixture.monitoring->rules_set().back().threshold, 0.95);
    }

    void return_on_cancel_does_nothing_data() {
        QTest::addColumn<int>("which");
        for (int which = 0; which < 4; ++which) QTest::addRow("%d", which) << which;
    }

    void return_on_cancel_does_nothing() {
        QFETCH(int, which);
        RichFixture fixture;
        const auto alert = make_alerts(now()).front();
        const auto region = fixture.world.rows().front().info;
        std::unique_ptr<TaskDialog> dialog;
        if (which == 0)
            dialog = std::make_unique<SilenceDialog>(fixture.workspace, alert, nullptr);
        else if (which == 1)
            dialog =
                std::make_unique<AcknowledgeDialog>(fixture.workspace, std::vector{alert}, nullptr);
        else if (which == 2)
            dialog = std::make_unique<RotateDialog>(fixture.workspace, region, nullptr);
        else
            dialog =
                std::make_unique<AlertRuleDialog>(fixture.workspace, make_rules().front(), nullptr);
        dialog->setAttribute(Qt::WA_DeleteOnClose, false);
        dialog->show();
        QVERIFY(QTest::qWaitForWindowActive(dialog.get()));
        if (which == 3) named<QLineEdit>(*dialog, QStringLiteral("Limit"))->setText("95 %");
        auto* cancel = button(*dialog, QStringLiteral("Cancel"));
        QVERIFY(cancel);
        cancel->setFocus();
        QTest::keyClick(cancel, Qt::Key_Return);
        QVERIFY(!dialog->isVisible());
        QCOMPARE(dialog->result(), static_cast<int>(QDialog::Rejected));
        QTest::qWait(50);
        QVERIFY(fixture.manager->rotations.empty());
        QVERIFY(fixture.monitoring->acknowledged().empty());
        QVERIFY(fixture.monitoring->rules_set().empty());
        QCOMPARE(fixture.monitoring->silences().value().size(), std::size_t{1});
    }

    void return_presses_the_button_that_has_the_focus() {
        DialogFixture fixture;
        QVERIFY(QTest::qWaitForWindowActive(fixture.dialog.get()));
        fixture.danger()->setFocus();
        QSignalSpy finished(fixture.dialog.get(), &DeallocateDialog::finished_run);
        QTest::keyClick(fixture.danger(), Qt::Key_Return);
        QVERIFY(finished.wait(60'000));
        QCOMPARE(fixture.manager->deallocations.size(), std::size_t{1});
    }

    void a_pause_is_announced_on_every_page_and_keeps_all_of_them() {
        TargetFixture fixture;
        fixture.window.show_page(QStringLiteral("dashboard"));
        QVERIFY(QTest::qWaitForWindowActive(&fixture.window));
        QTest::keyClick(fixture.window.windowHandle(), Qt::Key_P, Qt::ControlModifier);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.workspace.paused(), kPatienceMs);
        auto* banner = fixture.window.findChild<QFrame*>(QStringLiteral("banner"));
        fixture.world.remove(fixture.id);
        QTRY_VERIFY_WITH_TIMEOUT(
            says(*banner, QStringLiteral("0 regions came and 1 went since then")), 20000);
        for (const auto& page : MainWindow::page_names()) {
            fixture.window.show_page(page);
            QVERIFY2(banner->isVisible() && says(*banner, QStringLiteral("Paused")),
                     qPrintable(page));
        }
        keep(fixture.window, QStringLiteral("paused"));
        QCOMPARE(fixture.workspace.regions().size(), std::size_t{40});
        QTRY_COMPARE_WITH_TIMEOUT(fixture.survey->surveys(), 1,
                                  kPatienceMs);  // the first one is always made
        const auto surveys = fixture.survey->surveys();
        fixture.window.show_page(QStringLiteral("host"));
        QTest::qWait(50);
        QCOMPARE(fixture.survey->surveys(), surveys);
        QCOMPARE(shown_now(), *fixture.workspace.shown_until());
        button(fixture.window, QStringLiteral("Resume"))->click();
        QVERIFY(!banner->isVisible());
        QCOMPARE(fixture.workspace.regions().size(), std::size_t{39});
        QVERIFY(shown_now().micros > 0 && !fixture.workspace.shown_until());
    }

    // As if it had never been paused, whatever came meanwhile.
    void what_comes_in_a_pause_is_shown_when_it_ends() {
        Fixture fixture(300, 0.3);
        fixture.workspace.set_paused(true);
        QSignalSpy changes(&fixture.workspace, &Workspace::pause_changed);
        while (changes.count() < 3) QVERIFY(changes.wait(20000));
        QVERIFY(fixture.workspace.pause()->came > 0);
        QCOMPARE(fixture.workspace.pause()->came, fixture.workspace.pause()->went);
        fixture.workspace.set_paused(false);
        QSignalSpy ticks(&fixture.workspace, &Workspace::ticked);
        const auto same = [&fixture] {
            const auto rows = fixture.world.rows();
            return fixture.workspace.regions().size() == rows.size() &&
                   std::all_of(rows.begin(), rows.end(), [&fixture](const RegionRow& row) {
                       const auto* entry = fixture.workspace.regions().at(row.slot);
                       return entry && entry->row.generation == row.generation;
                   });
        };
        QTRY_VERIFY_WITH_TIMEOUT(same(), kPatienceMs);
    }

    void a_manager_that_is_silent_says_since_when() {
        Fixture fixture(20);
        auto* banner = fixture.window.findChild<QFrame*>(QStringLiteral("banner"));
        fixture.world.silence();
        QTRY_VERIFY_WITH_TIMEOUT(banner->isVisible(), kPatienceMs);
        QVERIFY(says(*banner, QStringLiteral("has not responded since ")));
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestTargets)
#include "tst_targets.moc"
