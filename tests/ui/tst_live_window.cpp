// SPDX-License-Identifier: GPL-3.0-or-later
// The window on a real service, with programs of their own that share memory.
#include <QAbstractButton>
#include <QApplication>
#include <QMenu>
#include <QMessageBox>
#include <QTableWidget>
#include <QTimer>

#include "live_fixture.h"
#include "patience.h"
#include "ui/dialogs/cleanup_dialog.h"
#include "ui/dialogs/deallocate_dialog.h"
#include "ui/models/settings.h"

namespace snakepit::shm::ui {

namespace {

using test::Peer;
using test::Service;

qint64 references(const Service& service, const QString& id) {
    return service.cli_json({"info", id}).value("reference_count").toInteger();
}

// What a message box is answered with, once it is open.
void answer_with(const QString& button_text) {
    auto* timer = new QTimer(qApp);
    QObject::connect(timer, &QTimer::timeout, timer, [timer, button_text] {
        const auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
        if (!box) return;
        timer->deleteLater();
        for (auto* button : box->buttons())
            if (button->text().startsWith(button_text)) return button->click();
        qFatal("no button %s", qPrintable(button_text));
    });
    timer->start(20);
}

}  // namespace

class TestLiveWindow : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void a_region_names_the_programs_that_hold_it_until_they_are_killed();
    void a_manager_killed_and_started_again_loses_nothing_that_was_shown();
    void the_bytes_of_a_region_are_what_a_program_wrote();
    void what_a_cleanup_promises_is_what_it_removes();
    void a_region_that_is_held_is_withdrawn_when_deallocated();
    void a_manager_started_in_the_window_is_handed_over_when_it_closes();
};

void TestLiveWindow::a_region_names_the_programs_that_hold_it_until_they_are_killed() {
    Service service;
    QVERIFY(service.start());
    const auto owner = service.python("owner.py");
    const auto id = owner->line();
    const auto alone = references(service, id);
    const auto consumer = service.python("consumer.py", {id});
    QVERIFY(!consumer->line().isEmpty());
    const auto together = references(service, id);
    QVERIFY(together > alone);
    const auto other = service.python("owner.py");
    QVERIFY(!other->line().isEmpty());

    LiveFixture fixture(service);
    auto& model = fixture.page().table().regions();
    QTRY_COMPARE_WITH_TIMEOUT(model.shown(), std::size_t{2}, kPatience);
    QTest::keyClicks(&fixture.filter(), QString::number(consumer->pid()));
    QTRY_COMPARE_WITH_TIMEOUT(model.shown(), std::size_t{1}, kPatienceMs);
    QCOMPARE(fixture.cell(0, kColumnId), id);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(0, kColumnReferences), QString::number(together),
                              kPatience);
    const auto held_by = fixture.cell(0, kColumnHeldBy);
    QVERIFY2(held_by.contains(pid_text(*owner)) && held_by.contains(pid_text(*consumer)),
             qPrintable(held_by));

    fixture.click_row(0);
    const auto consumer_pid = QString::number(consumer->pid());
    QTRY_VERIFY_WITH_TIMEOUT(fixture.details().contains(id), kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(fixture.details().contains(consumer_pid), kPatienceMs);
    QVERIFY(fixture.details().contains(QString::number(owner->pid())));

    consumer->end(SIGKILL);
    QTest::keySequence(&fixture.filter(), QKeySequence::SelectAll);
    QTest::keyClicks(&fixture.filter(), id);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(0, kColumnReferences), QString::number(alone),
                              kPatience);
    QVERIFY(fixture.held_by_only(*owner));
    QTRY_VERIFY_WITH_TIMEOUT(!fixture.details().contains(QStringLiteral(">%1<").arg(consumer_pid)),
                             kPatience);
}

void TestLiveWindow::a_manager_killed_and_started_again_loses_nothing_that_was_shown() {
    Service service;
    QVERIFY(service.start());
    const auto owner = service.python("owner.py");
    const auto id = owner->line();
    const auto alone = references(service, id);
    const auto consumer = service.python("consumer.py", {id});
    QVERIFY(!consumer->line().isEmpty());
    const auto together = references(service, id);
    QVERIFY(together > alone);
    LiveFixture fixture(service);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(0, kColumnReferences), QString::number(together),
                              kPatience);
    QVERIFY(!fixture.banner().isVisible());
    fixture.click_row(0);
    const auto selected = fixture.workspace.selection();
    QCOMPARE(selected.size(), std::size_t{1});

    service.kill();
    QTRY_VERIFY_WITH_TIMEOUT(fixture.banner().isVisible(), kPatience);
    QCOMPARE(fixture.cell(0, kColumnId), id);
    QCOMPARE(fixture.cell(0, kColumnReferences), QString::number(together));

    QVERIFY(service.start());
    QTRY_VERIFY_WITH_TIMEOUT(!fixture.banner().isVisible(), kPatience);
    QCOMPARE(fixture.workspace.manager_pid(), service.pid());
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(0, kColumnReferences), QString::number(together),
                              kPatience);
    QCOMPARE(fixture.workspace.selection(), selected);
    QTRY_VERIFY_WITH_TIMEOUT(fixture.details().contains(QString::number(consumer->pid())),
                             kPatience);

    consumer->end(SIGKILL);
    const bool fell = QTest::qWaitFor([&] { return fixture.held_by_only(*owner); }, kPatience);
    QVERIFY2(fell, qPrintable(fixture.cell(0, kColumnHeldBy)));
    QCOMPARE(fixture.cell(0, kColumnReferences), QString::number(alone));
}

void TestLiveWindow::the_bytes_of_a_region_are_what_a_program_wrote() {
    Service service;
    QVERIFY(service.start());
    service.host().use_in_this_process(service.instance());
    const auto client = ManagerClient::connect({.timeout_ms = kPatience});
    QVERIFY(client);
    LiveManager manager(service.instance().toStdString());
    for (const auto level : {SecurityLevel::standard, SecurityLevel::high}) {
        RegionOptions options;
        options.security_level = level;
        const auto id = (*client)->allocate(10'000, options);
        QVERIFY2(id, id ? "" : id.error().sentence().c_str());
        const std::string text = "written by a program";
        const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
        QVERIFY((*client)->write(*id, 9'000, {bytes, text.size()}));
        const auto before = (*client)->info(*id)->reference_count;
        const auto source = manager.bytes_of(*id);
        QVERIFY(source);
        QCOMPARE((*source)->read(9'000, text.size()).value(), text);
        QCOMPARE((*source)->read(9'990, 100).value().size(), std::size_t{10});  // to its end
        QCOMPARE((*source)->read(10'000, 1).value(), std::string());
        QCOMPARE((*client)->info(*id)->reference_count, before);
    }
    QVERIFY(!manager.bytes_of(RegionId{1, 2}));
}

void TestLiveWindow::what_a_cleanup_promises_is_what_it_removes() {
    Service service;
    QVERIFY(service.start());
    const auto holder = service.python("owner.py");
    const auto held = holder->line();
    const auto manual = service.cli_json({"allocate", "64KiB", "--cleanup-policy", "manual"});
    const auto idle = manual.value("id").toString();
    QVERIFY2(!idle.isEmpty(), "the command line allocated nothing");

    LiveFixture fixture(service);
    auto& model = fixture.page().table().regions();
    QTRY_COMPARE_WITH_TIMEOUT(model.shown(), std::size_t{2}, kPatience);
    auto* dialog =
        new CleanupDialog(fixture.workspace, CleanupDialog::Scope::all_eligible, &fixture.window);
    dialog->open();
    auto* plan = dialog->findChild<QTableWidget*>();
    QTRY_COMPARE_WITH_TIMEOUT(plan->rowCount(), 2, kPatience);
    QCOMPARE(model.shown(), std::size_t{2});
    fixture.press(QStringLiteral("Remove 1 region"));
    const auto row = [&] { return fixture.cell(0, kColumnId) == held ? 1 : 0; };
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(row(), kColumnState), QStringLiteral("quarantined"),
                              kPatience);
    QCOMPARE(model.shown(), std::size_t{2});
    dialog->close();
    fixture.click_row(row());
    QMenu menu;
    Q_EMIT fixture.page().table().about_to_show_menu(&menu);
    for (auto* action : menu.actions())
        if (action->text() == QStringLiteral("Restore from quarantine")) action->trigger();
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(row(), kColumnState), QStringLiteral("live"), kPatience);

    service.host().configure("quarantine = 0");
    QCOMPARE(service.cli({"config", "reload"}).status, 0);
    dialog =
        new CleanupDialog(fixture.workspace, CleanupDialog::Scope::all_eligible, &fixture.window);
    dialog->open();
    QTRY_COMPARE_WITH_TIMEOUT(dialog->findChild<QTableWidget*>()->rowCount(), 2, kPatience);
    fixture.press(QStringLiteral("Remove 1 region"));
    QTRY_COMPARE_WITH_TIMEOUT(model.shown(), std::size_t{1}, kPatience);
    QCOMPARE(fixture.cell(0, kColumnId), held);
}

void TestLiveWindow::a_region_that_is_held_is_withdrawn_when_deallocated() {
    Service service;
    QVERIFY(service.start());
    const auto owner = service.python("owner.py");
    QVERIFY(!owner->line().isEmpty());
    LiveFixture fixture(service);
    QTRY_VERIFY_WITH_TIMEOUT(fixture.held_by_only(*owner), kPatience);
    fixture.click_row(0);
    fixture.press(QStringLiteral("Deallocate…"));
    auto* dialog = fixture.window.findChild<DeallocateDialog*>();
    QVERIFY(dialog);
    QSignalSpy observed(dialog, &DeallocateDialog::observed);
    QVERIFY(observed.wait(kPatience));
    QVERIFY(dialog->findChild<QTableWidget*>()->item(0, 3)->text().startsWith(pid_text(*owner)));
    fixture.press(QStringLiteral("Deallocate 1 region"));
    QTRY_COMPARE_WITH_TIMEOUT(fixture.cell(0, kColumnState), QStringLiteral("closing"), kPatience);
    owner->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.workspace.regions().size(), std::size_t{0}, kPatience);
}

void TestLiveWindow::a_manager_started_in_the_window_is_handed_over_when_it_closes() {
    Service service;
    std::unique_ptr<Peer> owner;
    {
        LiveFixture fixture(service);
        QTRY_VERIFY_WITH_TIMEOUT(fixture.banner().isVisible(), kPatience);
        fixture.press(QStringLiteral("Start a manager in this window"));
        QTRY_VERIFY_WITH_TIMEOUT(!fixture.banner().isVisible(), kPatience);
        QVERIFY(fixture.host.embedded());
        owner = service.python("owner.py");
        QVERIFY(!owner->line().isEmpty());
        QTRY_VERIFY_WITH_TIMEOUT(fixture.held_by_only(*owner), kPatience);
        answer_with(QStringLiteral("Cancel"));
        QVERIFY(!fixture.window.close());
        answer_with(QStringLiteral("Hand over"));
        QVERIFY(fixture.window.close());
        QVERIFY(!fixture.host.embedded());
    }
    LiveFixture later(service);
    QTRY_VERIFY_WITH_TIMEOUT(
        // None for a moment between the two: that number would mean us and our test runner.
        later.workspace.link() == Link::connected && later.workspace.manager_pid() > 0 &&
            later.workspace.manager_pid() != QCoreApplication::applicationPid(),
        kPatience);
    const auto successor = static_cast<pid_t>(later.workspace.manager_pid());
    const bool held = QTest::qWaitFor([&] { return later.held_by_only(*owner); }, kPatience);
    QCOMPARE(::kill(successor, SIGTERM), 0);
    QVERIFY(held);
    QTRY_VERIFY_WITH_TIMEOUT(later.banner().isVisible(), kPatience);
}

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestLiveWindow)
#include "tst_live_window.moc"
